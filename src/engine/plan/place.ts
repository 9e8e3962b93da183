/**
 * The memory plan: intermediates that are alive at different times share bytes of few large buffers, so that the peak
 * is known before the first run.
 *
 * WebGPU forbids that one dispatch binds a buffer both for reading and for writing, even at disjoint ranges. So the
 * values an op reads must lie in other buffers than those it writes: a colouring, done together with the placement.
 * Both are greedy, the largest first; that is near optimal for the graphs that networks make (Pisarchyk & Lee,
 * "Efficient Memory Management for Deep Neural Net Inference", arXiv 2001.03288, greedy-by-size).
 */
export interface Lifetime {
  readonly bytes: number;
  /** The first and the last step that use it. */
  readonly from: number;
  readonly to: number;
  /** Other lifetimes (indices) that must not lie in the same buffer. */
  readonly apart: ReadonlySet<number>;
}

export interface MemoryPlan {
  /** For each lifetime its buffer and byte offset. */
  readonly places: readonly { readonly buffer: number; readonly offset: number }[];
  /** Bytes of each buffer; their sum is the peak. */
  readonly buffers: readonly number[];
}

interface Placed {
  readonly offset: number;
  readonly end: number;
  readonly from: number;
  readonly to: number;
}

/** @param alignment bytes; offsets and sizes are rounded up to it @param maxBytes of one buffer */
export function place(lifetimes: readonly Lifetime[], alignment: number, maxBytes: number): MemoryPlan {
  const places = lifetimes.map(() => ({ buffer: -1, offset: 0 }));
  const buffers: { bytes: number; placed: Placed[] }[] = [];
  const order = lifetimes
    .map((lifetime, index) => ({
      ...lifetime,
      index,
      bytes: Math.ceil(lifetime.bytes / alignment) * alignment,
    }))
    .sort((a, b) => b.bytes - a.bytes || a.from - b.from || a.index - b.index);

  for (const { index, bytes, from, to, apart } of order) {
    const forbidden = new Set<number>();
    for (const other of apart) forbidden.add(places[other]?.buffer ?? -1);
    let best: { buffer: number; offset: number; growth: number } | undefined;
    for (const [buffer, { bytes: size, placed }] of buffers.entries()) {
      if (forbidden.has(buffer)) continue;
      const offset = lowestGap(placed, bytes, from, to);
      if (offset + bytes > maxBytes) continue;
      const growth = Math.max(0, offset + bytes - size);
      if (!best || growth < best.growth) best = { buffer, offset, growth };
    }
    if (!best) best = { buffer: buffers.push({ bytes: 0, placed: [] }) - 1, offset: 0, growth: bytes };
    const target = buffers[best.buffer];
    if (target) {
      target.placed.push({ offset: best.offset, end: best.offset + bytes, from, to });
      target.bytes = Math.max(target.bytes, best.offset + bytes);
    }
    places[index] = { buffer: best.buffer, offset: best.offset };
  }
  return { places, buffers: buffers.map(({ bytes }) => bytes) };
}

/** The lowest offset at which `bytes` fit beside everything that is alive at the same time. */
function lowestGap(placed: readonly Placed[], bytes: number, from: number, to: number): number {
  const alive = placed
    .filter((other) => other.from <= to && other.to >= from)
    .sort((a, b) => a.offset - b.offset);
  let offset = 0;
  for (const other of alive) {
    if (offset + bytes <= other.offset) break;
    offset = Math.max(offset, other.end);
  }
  return offset;
}
