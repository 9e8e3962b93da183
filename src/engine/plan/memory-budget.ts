import { byteLength, type Node, type Tensor } from '../graph/tensor.js';
import { liveBytes } from './live-bytes.js';
import type { Recomputer } from './recompute.js';

/**
 * The search for the values to recompute, so that a program fits its memory. It is greedy: it looks at how far, and for how
 * long, the live bytes exceed the budget, and drops the value that removes most of the excess for its cost, again and
 * again (`Recomputer` does the dropping). Live bytes are a close lower bound of a plan's bytes; whether a plan fits is
 * decided by the plan itself, see fit-plan.ts.
 */
export interface SearchOptions {
  readonly nodes: readonly Node[];
  readonly results: ReadonlySet<Tensor>;
  /** Tensors whose bytes are not among the intermediates. */
  readonly elsewhere: ReadonlySet<Tensor>;
  /** Of the buffers that a node's kernel needs while it runs. */
  readonly scratchBytes: (node: Node) => number;
  /** See `Recomputer.apply`. */
  readonly hold: boolean;
}

export class DropSearch {
  /** The values that may be dropped: they lie idle for a while and are large enough to matter. */
  readonly candidates: readonly Node[];
  readonly #options: SearchOptions;
  readonly #recomputer: Recomputer;
  readonly #smallest: number;
  readonly #costs = new Map<Node, number>();

  constructor(recomputer: Recomputer, options: SearchOptions) {
    this.#recomputer = recomputer;
    this.#options = options;
    this.#smallest = this.#peak(options.nodes) * NEGLIGIBLE;
    const longest = options.nodes.length * SHORT_IDLE;
    this.candidates = options.nodes.filter((node) => {
      const { from, to } = recomputer.idle(node) ?? NEVER;
      return to - from > longest && this.#isLarge(node);
    });
  }

  /** The nodes with these values dropped; it must be a set that `extend` has returned, or empty. */
  apply(dropped: ReadonlySet<Node>): Node[] {
    const nodes = this.#recomputer.apply(dropped, this.#options);
    if (!nodes) throw new RangeError('values were dropped that cannot be computed again');
    return nodes;
  }

  /** Most bytes of intermediates alive at once with these values dropped. */
  peak(dropped: ReadonlySet<Node>): number {
    return this.#peak(this.apply(dropped));
  }

  /**
   * Drops more until at most `aim` bytes are alive at once.
   * @returns all values to drop; undefined where no further value helps
   */
  extend(start: ReadonlySet<Node>, aim: number): ReadonlySet<Node> | undefined {
    const dropped = new Set(start);
    let state = this.#rate(dropped, aim);
    // A score only goes down by much as more is dropped, so an old one that is not the highest needs no new look.
    let round = 0;
    const open = new Map<Node, Rated>();
    for (const node of this.candidates) if (!dropped.has(node)) open.set(node, UNRATED);
    while (state.excess > 0) {
      const [node, best] = highest(open);
      if (!node || !best) return undefined;
      if (best.round < round) {
        open.set(node, { ...this.#bestMove(node, dropped, state, aim), round });
        continue;
      }
      if (best.score <= 0) return undefined;
      for (const each of best.move) {
        dropped.add(each);
        open.delete(each);
      }
      state = best;
      round++;
    }
    return this.#prune(dropped, start, aim);
  }

  /** The better of two moves: a node alone, or together with the values that would live on only to recompute it. */
  #bestMove(node: Node, dropped: ReadonlySet<Node>, now: State, aim: number): Omit<Rated, 'round'> {
    const moves = [[node]];
    const chain = this.#chain(node, dropped);
    if (chain.length > 1) moves.push(chain);
    const rated = moves.map((move) => {
      const then = this.#rate(new Set([...dropped, ...move]), aim);
      return { move, ...then, score: (now.excess - then.excess) / Math.max(1, then.cost - now.cost) };
    });
    return rated.reduce((best, each) => (each.score > best.score ? each : best));
  }

  #chain(node: Node, dropped: ReadonlySet<Node>): Node[] {
    const from = this.#recomputer.idle(node)?.to ?? 0;
    const chain = new Set([node]);
    for (const link of chain) {
      for (const input of link.inputs) {
        const producer = this.#recomputer.producerOf(input);
        if (!producer || dropped.has(producer) || !this.#isLarge(producer)) continue;
        if (!this.#recomputer.isUsedFrom(producer, from)) chain.add(producer);
      }
    }
    return [...chain];
  }

  /** Takes back drops that turned out not to be needed, the dearest first. */
  #prune(dropped: ReadonlySet<Node>, start: ReadonlySet<Node>, aim: number): ReadonlySet<Node> {
    const pruned = new Set(dropped);
    const added = [...dropped].filter((node) => !start.has(node));
    for (const node of added.sort((a, b) => this.#cost(b) - this.#cost(a))) {
      pruned.delete(node);
      if (this.#rate(pruned, aim).excess > 0) pruned.add(node);
    }
    return pruned;
  }

  #rate(dropped: ReadonlySet<Node>, aim: number): State {
    const nodes = this.#recomputer.apply(dropped, this.#options);
    if (!nodes) return { excess: Number.POSITIVE_INFINITY, cost: Number.POSITIVE_INFINITY };
    return {
      excess: this.#live(nodes).reduce((sum, bytes) => sum + Math.max(0, bytes - aim), 0),
      cost: nodes.reduce((sum, node) => sum + this.#cost(node), 0),
    };
  }

  #cost(node: Node): number {
    const origin = this.#recomputer.originOf(node);
    const known = this.#costs.get(origin) ?? costOf(origin);
    this.#costs.set(origin, known);
    return known;
  }

  #peak(nodes: readonly Node[]): number {
    return this.#live(nodes).reduce((peak, bytes) => Math.max(peak, bytes), 0);
  }

  #live(nodes: readonly Node[]): Float64Array {
    const { results, elsewhere, scratchBytes } = this.#options;
    return liveBytes(nodes, results, elsewhere, (node) => scratchBytes(this.#recomputer.originOf(node)));
  }

  #isLarge(node: Node): boolean {
    if (!this.#recomputer.isRepeatable(node)) return false;
    const counted = node.outputs.filter((output) => !this.#options.elsewhere.has(output));
    return counted.reduce((sum, output) => sum + byteLength(output), 0) > this.#smallest;
  }
}

/** Floating-point operations that take as long as moving a byte: 13 to 20 on the adapters we know. */
const FLOPS_PER_BYTE = 16;

/** Share of the peak below which a value is not worth a kernel: statistics of a norm, a loss. */
const NEGLIGIBLE = 1e-3;

/** Share of the run below which a value that lies idle is not worth looking at: the gradients beside a shortcut. */
const SHORT_IDLE = 1 / 20;

const NEVER = { from: 0, to: 0 };

/** Time of a node, in floating-point operations. */
function costOf({ op, attributes, inputs, outputs }: Node): number {
  const problem = { inputs, outputs, attributes };
  const bytes =
    op.bytes?.(problem) ?? [...inputs, ...outputs].reduce((sum, spec) => sum + byteLength(spec), 0);
  return op.flops(problem) + bytes * FLOPS_PER_BYTE;
}

interface State {
  /** Bytes above the aim, summed over the nodes that run meanwhile. */
  readonly excess: number;
  /** Of the whole run. */
  readonly cost: number;
}

/** The effect of dropping a node, as it was in that round. */
interface Rated extends State {
  /** The nodes to drop together. */
  readonly move: readonly Node[];
  readonly score: number;
  readonly round: number;
}

const UNRATED: Rated = { move: [], excess: 0, cost: 0, score: Number.POSITIVE_INFINITY, round: -1 };

function highest(rated: ReadonlyMap<Node, Rated>): [Node, Rated] | [] {
  let best: [Node, Rated] | [] = [];
  for (const entry of rated) if (!best[1] || entry[1].score > best[1].score) best = entry;
  return best;
}
