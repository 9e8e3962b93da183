import { type DType, Graph, type Shape, type Tensor } from '../engine/graph/tensor.js';
import { ModelScope, type ParameterSpec, type ScopeOptions, type StatisticSpec } from './model-scope.js';

/**
 * A network apart from any device: the values it holds, the inputs it takes, the outputs it gives. A classifier takes
 * images and gives logits (model.ts); a text tower takes tokens and gives an embedding.
 */
export interface Network<Inputs extends string, Outputs extends string> {
  /** In the order in which they lie in an arena. */
  readonly parameters: readonly ParameterSpec[];
  readonly statistics: readonly StatisticSpec[];
  readonly inputs: Readonly<Record<Inputs, NetworkInput>>;
  /**
   * Adds the network to a graph; its variables live in the arenas `params` and `stats`.
   * @param inputs [n, ...shape] of each
   */
  trace(
    graph: Graph,
    inputs: Readonly<Record<Inputs, Tensor>>,
    options: ScopeOptions,
  ): TracedNetwork<Outputs>;
}

/** Of one sample. */
export interface NetworkInput {
  readonly shape: Shape;
  readonly dtype: DType;
}

export interface TracedNetwork<Outputs extends string> {
  readonly outputs: Readonly<Record<Outputs, Tensor>>;
  /** In training: the value of this batch for each running statistic that follows it, by name. */
  readonly observed: ReadonlyMap<string, Tensor>;
}

/** A network from the function that traces it: one trace on a throw-away graph tells all that it holds. */
export function defineNetwork<Inputs extends string, Outputs extends string>(
  inputs: Readonly<Record<Inputs, NetworkInput>>,
  trace: (scope: ModelScope, inputs: Readonly<Record<Inputs, Tensor>>) => Readonly<Record<Outputs, Tensor>>,
): Network<Inputs, Outputs> {
  const dry = new Graph();
  const scope = new ModelScope(dry, { mode: 'eval' });
  trace(scope, traceInputs(dry, inputs, 1));
  return {
    parameters: scope.parameters,
    statistics: scope.statistics,
    inputs,
    trace(graph, given, options) {
      const own = new ModelScope(graph, options);
      return { outputs: trace(own, given), observed: own.observed };
    },
  };
}

/** The inputs of a batch as inputs of a graph. */
export function traceInputs<Inputs extends string>(
  graph: Graph,
  inputs: Readonly<Record<Inputs, NetworkInput>>,
  batchSize: number,
): Record<Inputs, Tensor> {
  return Object.fromEntries(
    Object.entries<NetworkInput>(inputs).map(([name, { shape, dtype }]) => [
      name,
      graph.input(name, [batchSize, ...shape], dtype),
    ]),
  ) as Record<Inputs, Tensor>;
}
