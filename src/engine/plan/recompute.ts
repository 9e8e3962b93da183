import { dropUnused } from '../graph/rewrite.js';
import { at, type Node, type Tensor } from '../graph/tensor.js';

/**
 * Recomputation (gradient checkpointing, Chen et al., "Training Deep Nets with Sublinear Memory Cost", arXiv
 * 1604.06174) as a graph rewrite: a value that lies idle between its early uses and its late ones is dropped after the
 * early ones and computed again right before the late ones, by a copy of its node. Operands of the copy are recomputed
 * in turn if they were dropped, too.
 *
 * It comes after fusion, so that a copy runs the very kernel of the original on the same bytes: results are the same to
 * the last bit. Which values to drop is for memory-budget.ts to say.
 */
export class Recomputer {
  readonly #nodes: readonly Node[];
  readonly #results: ReadonlySet<Tensor>;
  readonly #producers = new Map<Tensor, Node>();
  /** When each node runs. */
  readonly #times = new Map<Node, number>();
  /** When the results of a node are used, aliases of them included, in order. */
  readonly #uses = new Map<Node, number[]>();
  /** Nodes with a result that is read after the run, or that goes to an op which changes memory. */
  readonly #bound = new Set<Node>();
  /** When the variables of an arena change. */
  readonly #changes = new Map<string, number[]>();
  readonly #origins = new WeakMap<Node, Node>();

  /** @param nodes after all other rewrites @param results tensors that are read after the run */
  constructor(nodes: readonly Node[], results: ReadonlySet<Tensor>) {
    this.#nodes = nodes;
    this.#results = results;
    for (const [time, node] of nodes.entries()) {
      this.#times.set(node, time);
      for (const output of node.outputs) this.#producers.set(output, node);
      for (const input of node.inputs) {
        const producer = this.producerOf(input);
        if (!producer || node.op.alias) continue;
        const uses = this.#uses.get(producer);
        if (uses) uses.push(time);
        else this.#uses.set(producer, [time]);
        if (node.op.mutates) this.#bound.add(producer);
      }
      for (const index of node.op.mutates ?? []) {
        const { source } = at(node.inputs, index);
        if (source.kind !== 'variable') continue;
        this.#changes.set(source.arena, [...(this.#changes.get(source.arena) ?? []), time]);
      }
    }
    for (const tensor of results) {
      const producer = this.producerOf(tensor);
      if (producer) this.#bound.add(producer);
    }
  }

  /** The node that computes a tensor's bytes, through aliases; undefined for inputs, variables and constants. */
  producerOf(tensor: Tensor): Node | undefined {
    const producer = this.#producers.get(tensor);
    return producer?.op.alias ? this.producerOf(at(producer.inputs, 0)) : producer;
  }

  /** The node that `apply` made this one from, by a second run or with other operands: the same problem, the same kernel. */
  originOf(node: Node): Node {
    return this.#origins.get(node) ?? node;
  }

  /** Whether a second run gives the same values without doing anything else. */
  isRepeatable(node: Node): boolean {
    return !node.op.alias && !node.op.mutates && !this.#bound.has(node);
  }

  /**
   * The longest time that a node's results lie idle: from a use (or their computation) to the next one. Undefined
   * where nothing runs in between.
   */
  idle(node: Node): { readonly from: number; readonly to: number } | undefined {
    let from = this.#times.get(node) ?? 0;
    let longest = { from, to: from };
    for (const time of this.#uses.get(node) ?? []) {
      if (time - from > longest.to - longest.from) longest = { from, to: time };
      from = time;
    }
    return longest.to - longest.from > 1 ? longest : undefined;
  }

  /** Whether a node's results are used at that time or later. */
  isUsedFrom(node: Node, time: number): boolean {
    return (this.#uses.get(node)?.at(-1) ?? -1) >= time;
  }

  /**
   * The nodes with `dropped` computed again after they lay idle.
   *
   * A value may be needed early, to recompute another, and again later for itself. `hold` keeps it in between; else it
   * is computed a third time, which costs more but needs less memory where many values hang on one another.
   * @returns undefined where a copy would run after a variable that it reads has changed
   */
  apply(dropped: ReadonlySet<Node>, { hold }: { hold: boolean }): Node[] | undefined {
    const late = new Map([...dropped].map((node) => [node, this.idle(node)?.to ?? Number.POSITIVE_INFINITY]));
    const copies = new Map<Tensor, Tensor>();
    const result: Node[] = [];
    let stale = false;

    const copyOf = (tensor: Tensor, time: number): Tensor => {
      const known = copies.get(tensor);
      if (known) return known;
      const producer = this.#producers.get(tensor);
      if (!producer) return tensor;
      if (!dropped.has(producer) && !producer.op.alias) return tensor;
      const inputs = producer.inputs.map((input) => copyOf(input, time));
      if (producer.op.alias && inputs[0] === producer.inputs[0]) return tensor;
      if (this.#changedSince(producer, time)) stale = true;
      const copy = repeat(producer, inputs);
      this.#origins.set(copy, producer);
      for (const [index, output] of producer.outputs.entries()) copies.set(output, at(copy.outputs, index));
      result.push(copy);
      return at(copy.outputs, producer.outputs.indexOf(tensor));
    };

    for (const [time, node] of this.#nodes.entries()) {
      const inputs = node.inputs.map((input) => {
        const producer = node.op.alias ? undefined : this.producerOf(input);
        const from = producer && late.get(producer);
        return from !== undefined && time >= from ? copyOf(input, time) : input;
      });
      if (!hold) this.#forgetEarly(copies, late, time);
      result.push(inputs.every((input, i) => input === node.inputs[i]) ? node : this.#rewire(node, inputs));
    }
    // A value with late uses only is now computed late only, and aliases may have lost their readers.
    return stale ? undefined : dropUnused(result, this.#results);
  }

  /** Drops the copies of values whose own late uses are still to come. */
  #forgetEarly(copies: Map<Tensor, Tensor>, late: ReadonlyMap<Node, number>, time: number): void {
    for (const tensor of copies.keys()) {
      const producer = this.producerOf(tensor);
      if (producer && (late.get(producer) ?? 0) > time) copies.delete(tensor);
    }
  }

  #rewire(node: Node, inputs: readonly Tensor[]): Node {
    const rewired = { ...node, inputs };
    this.#origins.set(rewired, node);
    return rewired;
  }

  #changedSince(node: Node, time: number): boolean {
    const start = this.#times.get(node) ?? 0;
    return node.inputs.some(({ source }) => {
      const changes = source.kind === 'variable' ? this.#changes.get(source.arena) : undefined;
      return changes?.some((change) => change > start && change < time) ?? false;
    });
  }
}

function repeat(node: Node, inputs: readonly Tensor[]): Node {
  const outputs: Tensor[] = [];
  const copy: Node = { ...node, inputs, outputs, label: `again:${node.label}` };
  for (const [index, output] of node.outputs.entries()) {
    outputs.push({ ...output, source: { kind: 'op', node: copy, index } });
  }
  return copy;
}
