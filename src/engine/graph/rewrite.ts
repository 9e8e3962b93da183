import { joinReaders } from './join.js';
import type { Fused, Node, Tensor } from './tensor.js';

/**
 * Graph rewrites before kernels are chosen: unused nodes are dropped, and ops that can share one kernel are merged: readers
 * of one tensor (join.ts), and chains. The ops say whether they can merge (`Op.joinWith`, `Op.absorb`, `Op.finishWith`);
 * the engine only finds the places.
 *
 * @param nodes in graph order
 * @param results tensors that are read after the run
 */
export function rewrite(
  nodes: readonly Node[],
  results: ReadonlySet<Tensor>,
  limits: { maxBindings: number },
): Node[] {
  return fuse(joinReaders(dropUnused(nodes, results)), results, limits);
}

/** Without the nodes that neither `results` nor an op that changes memory depends on. */
export function dropUnused(nodes: readonly Node[], results: ReadonlySet<Tensor>): Node[] {
  const needed = new Set(results);
  const used: Node[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.op.mutates && !node.outputs.some((output) => needed.has(output))) continue;
    for (const input of node.inputs) needed.add(input);
    used.push(node);
  }
  return used.reverse();
}

function fuse(nodes: readonly Node[], results: ReadonlySet<Tensor>, limits: { maxBindings: number }): Node[] {
  const uses = countUses(nodes);
  const producers = new Map<Tensor, number>();
  const result: (Node | undefined)[] = [];
  // An op that updates memory in place must not see its readers move behind it: nothing merges across one.
  let lastEffect = -1;

  for (const original of nodes) {
    let node = original;
    if (node.op.mutates) lastEffect = result.length;
    for (let at = 0; at < node.inputs.length; ) {
      const input = node.inputs[at];
      const position = input && producers.get(input);
      const producer = position === undefined ? undefined : result[position];
      const mergeable =
        input &&
        position !== undefined &&
        producer &&
        position > lastEffect &&
        uses.get(input) === 1 &&
        !results.has(input) &&
        producer.outputs.length === 1;
      const fused = mergeable ? merge(node, at, producer, limits) : undefined;
      if (!fused || position === undefined || !producer) {
        at++;
        continue;
      }
      result[position] = undefined;
      for (const operand of producer.inputs) uses.set(operand, (uses.get(operand) ?? 0) - 1);
      for (const operand of node.inputs) uses.set(operand, (uses.get(operand) ?? 0) - 1);
      node = { ...node, ...fused };
      for (const operand of node.inputs) uses.set(operand, (uses.get(operand) ?? 0) + 1);
      at = 0;
    }
    const position = result.push(node) - 1;
    for (const output of node.outputs) producers.set(output, position);
  }
  return result.filter((node) => node !== undefined);
}

/** Two neighbours as one node. It has the label of the one whose kernel does the work. */
function merge(
  consumer: Node,
  at: number,
  producer: Node,
  limits: { maxBindings: number },
): (Fused & { label: string }) | undefined {
  const absorbed = consumer.op.absorb?.(consumer, at, producer, limits);
  if (absorbed) return { ...absorbed, label: consumer.label };
  const finished = producer.op.finishWith?.(producer, consumer, at, limits);
  return finished && { ...finished, label: producer.label };
}

function countUses(nodes: readonly Node[]): Map<Tensor, number> {
  const uses = new Map<Tensor, number>();
  for (const node of nodes) {
    for (const input of node.inputs) uses.set(input, (uses.get(input) ?? 0) + 1);
  }
  return uses;
}
