import { byteLength, type Node, type Tensor } from '../graph/tensor.js';
import { findRoots } from './plan.js';

/**
 * The bytes of intermediates that are alive while each node runs. No placement needs fewer, and a good one needs few more.
 * Counting them is much quicker than planning, for a search that compares many rewritten graphs.
 *
 * @param results tensors that are read after the run
 * @param elsewhere tensors whose bytes do not count, such as gradients that lie in an arena
 * @param scratchBytes of the buffers that a node's kernel needs while it runs
 */
export function liveBytes(
  nodes: readonly Node[],
  results: ReadonlySet<Tensor>,
  elsewhere: ReadonlySet<Tensor>,
  scratchBytes: (node: Node) => number,
): Float64Array {
  const rootOf = findRoots(nodes);
  const last = new Map<Tensor, number>();
  for (const [time, node] of nodes.entries()) {
    for (const input of node.inputs) last.set(rootOf(input), time);
  }
  for (const tensor of results) last.set(rootOf(tensor), nodes.length - 1);
  const live = new Float64Array(nodes.length + 1);
  for (const [time, node] of nodes.entries()) {
    live[time] = (live[time] ?? 0) + scratchBytes(node);
    live[time + 1] = (live[time + 1] ?? 0) - scratchBytes(node);
    if (node.op.alias) continue;
    for (const output of node.outputs) {
      if (elsewhere.has(output)) continue;
      const bytes = byteLength(output);
      const end = (last.get(output) ?? time) + 1;
      live[time] = (live[time] ?? 0) + bytes;
      live[end] = (live[end] ?? 0) - bytes;
    }
  }
  for (let time = 1; time < live.length; time++) live[time] = (live[time] ?? 0) + (live[time - 1] ?? 0);
  return live.subarray(0, nodes.length);
}
