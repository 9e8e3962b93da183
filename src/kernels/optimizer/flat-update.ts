import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { RANGE_ALIGNMENT } from '../../engine/arena.js';
import { ShapeError } from '../../engine/errors.js';
import {
  type Binding,
  type DeviceTraits,
  describe,
  elementCount,
  type Kernel,
  type Op,
  type Problem,
  type Tensor,
  type TensorSpec,
} from '../../engine/graph/tensor.js';
import { streamStep } from '../common/grid.js';

/**
 * The shape that all optimizers share: walk whole arena shards once, update parameters and state in place, four
 * elements at a time. An optimizer adds its rule only (see optimizer.ts).
 *
 * A shard is a row of blocks of `RANGE_ALIGNMENT` elements, and no parameter shares a block with another (`RANGE_ALIGNMENT`). So a
 * table with one entry a block gives every parameter its own learning rate and decay, in one dispatch.
 */
export interface FlatUpdateRule {
  readonly name: string;
  /** Whole-shard operands that are updated beside the parameters, e.g. the moments. */
  readonly state: readonly string[];
  /** Values of the `hyper` input, a multiple of 4. */
  readonly hyperValues: number;
  /** Floating-point operations of one element. */
  readonly flops: number;
  /**
   * WGSL statements that update element group `i`: `params[i]` and each state, from `gradient` (a vec4f, clipped),
   * `rate` and `decay` (f32, learning-rate scale and weight decay of the block) and `hyper0`, `hyper1`… (vec4f each).
   * They leave the new parameters in a vec4f named `updated`.
   */
  readonly update: string;
}

/** What else is kept in the same dispatch. */
export interface FlatUpdateAttributes {
  /** An exponential moving average of the parameters. */
  readonly average: boolean;
  /** A copy of the parameters as f16. */
  readonly copy: boolean;
}

/** vec4 groups of one block. */
const BLOCK_GROUPS = RANGE_ALIGNMENT / 4;

/** Operand order: params, state…, grads, table, hyper, clip, average and copy (where kept). */
export function flatUpdateOp(rule: FlatUpdateRule, averageRate: string): Op<FlatUpdateAttributes> {
  const mutable = 1 + rule.state.length;
  const names = ['params', ...rule.state, 'grads', 'table', 'hyper', 'clip'];
  return {
    name: rule.name,
    mutates: Array.from({ length: mutable }, (_, i) => i),

    infer(inputs, attributes) {
      const [params] = inputs;
      const operands = operandNames(names, attributes);
      if (!params || inputs.length !== operands.length) {
        throw new ShapeError(`${rule.name}: wants ${operands.join(', ')}, got ${inputs.length} operands`);
      }
      const elements = elementCount(params.shape);
      if (elements % RANGE_ALIGNMENT !== 0) {
        throw new ShapeError(
          `${rule.name}: params must be a whole shard (a multiple of ${RANGE_ALIGNMENT} elements), got ${describe(params)}`,
        );
      }
      const expected: Record<string, number> = {
        table: (elements / RANGE_ALIGNMENT) * 2,
        hyper: rule.hyperValues,
        clip: 1,
      };
      for (const [i, name] of operands.entries()) {
        const spec = inputs[i];
        const count = expected[name] ?? elements;
        const dtype = name === 'copy' ? 'f16' : 'f32';
        if (spec?.dtype !== dtype || elementCount(spec.shape) !== count) {
          throw new ShapeError(
            `${rule.name}: ${name} must hold ${count} ${dtype} values, got ${spec && describe(spec)}`,
          );
        }
      }
      return [];
    },

    flops: ({ inputs, attributes }) => shardElements(inputs) * (rule.flops + (attributes.average ? 3 : 0)),

    // Read and written: parameters, state and average; read: gradients and 2 values a block.
    bytes: ({ inputs, attributes }) =>
      shardElements(inputs) *
      (4 * (2 * (mutable + (attributes.average ? 1 : 0)) + 1 + 2 / RANGE_ALIGNMENT) +
        (attributes.copy ? 2 : 0)),

    variants: [
      {
        name: 'vec4',
        unfit: ({ inputs }, { maxBindings }) =>
          inputs.length > maxBindings ? `needs ${inputs.length} storage buffers` : undefined,
        rank: () => 1,
        build: (problem, traits) => buildKernel(rule, averageRate, names, problem, traits),
      },
    ],
  };
}

/** Throws `ShapeError` unless `tensor` is a variable: what an in-place op updates must outlive the run. */
export function requireVariable(op: string, operand: string, tensor: Tensor): void {
  if (tensor.source.kind !== 'variable') {
    throw new ShapeError(
      `${op}: ${operand} is updated in place and must be a variable, not a computed value`,
    );
  }
}

function operandNames(names: readonly string[], { average, copy }: FlatUpdateAttributes): string[] {
  return [...names, ...(average ? ['average'] : []), ...(copy ? ['copy'] : [])];
}

function shardElements([params]: readonly TensorSpec[]): number {
  return elementCount(params?.shape ?? []);
}

function buildKernel(
  rule: FlatUpdateRule,
  averageRate: string,
  names: readonly string[],
  { inputs, attributes }: Problem<FlatUpdateAttributes>,
  traits: DeviceTraits,
): Kernel {
  const groups = shardElements(inputs) / 4;
  const { average, copy } = attributes;
  const types: Record<string, string> = { table: 'vec2f', clip: 'f32', copy: 'vec4h' };
  const mutable = new Set(['params', ...rule.state, 'average', 'copy']);
  const bindings = operandNames(names, attributes).map(
    (name, index): Binding => ({
      name,
      operand: { kind: 'input', index },
      access: mutable.has(name) ? 'read_write' : 'read',
      type: types[name] ?? 'vec4f',
    }),
  );
  const hyper = Array.from({ length: rule.hyperValues / 4 }, (_, k) => `let hyper${k} = hyper[${k}];`).join(
    ' ',
  );
  // A lane's run of groups lies in one block: blocks are whole runs long.
  const prepare = `let factor = clip[0];
  if (factor < 0.0) { return; }
  let entry = table[first / ${BLOCK_GROUPS}u];
  let rate = entry.x;
  let decay = entry.y;
  ${hyper}`;
  const each = wgsl`let gradient = grads[i] * factor;
    ${rule.update}
    params[i] = updated;
#if ${average}
    average[i] += (${averageRate}) * (updated - average[i]);
#endif
#if ${copy}
    copy[i] = vec4h(updated);
#endif
`;
  return { scratch: [], steps: [streamStep({ count: groups, bindings, prepare, each }, traits)] };
}
