import { leastMs } from '../roofline.js';
import type { PlanRow, RowCommand } from './build.js';

/**
 * The commands of a run in pieces, each of which is a submit. Operating systems and drivers reset a GPU whose submit takes
 * too long (2 s on Windows, some seconds on Linux), so none should be expected to take longer than a part of that. The
 * pieces run in order, so results are the same to the last bit wherever the cuts are.
 */

/** Milliseconds that a submit should take at most, by what is known beforehand. */
const LONGEST = 500;

/** Rates that a weak integrated GPU gets out of a kernel: what a program's first run is cut by. */
const WEAK = { gflops: 100, gbps: 10 };

/** Runs that are timed. The shortest counts: a first run also waits for what a driver does late. */
const TIMED = 3;

/** Milliseconds to expect of a row. */
export type Expectation = (row: PlanRow) => number;

export class SubmitPieces {
  readonly #commands: readonly RowCommand[];
  readonly #rows: readonly PlanRow[];
  #pieces: readonly (readonly RowCommand[])[];
  #timed = 0;
  #shortest = Number.POSITIVE_INFINITY;

  /** @param expectation `none`: one piece; `measured`: by the rates of a weak GPU, then by the time that runs took */
  constructor(
    { commands, rows }: { readonly commands: readonly RowCommand[]; readonly rows: readonly PlanRow[] },
    expectation: Expectation | 'none' | 'measured',
  ) {
    this.#commands = commands;
    this.#rows = rows;
    const expected = expectation === 'measured' ? (row: PlanRow) => leastMs(WEAK, row) : expectation;
    this.#pieces = expected === 'none' ? [commands] : this.#cut(expected);
    // one piece on a weak GPU is one anywhere
    if (expectation !== 'measured' || this.#pieces.length === 1) this.#timed = TIMED;
  }

  get pieces(): readonly (readonly RowCommand[])[] {
    return this.#pieces;
  }

  /** Whether the time of the next run is of interest. */
  get wantsTime(): boolean {
    return this.#timed < TIMED;
  }

  /** Cuts anew by the milliseconds that a run took, shared among its rows by their work. */
  took(ms: number): void {
    this.#timed++;
    this.#shortest = Math.min(this.#shortest, ms);
    const whole = this.#rows.reduce((sum, row) => sum + leastMs(WEAK, row), 0);
    this.#pieces = this.#cut((row) => (leastMs(WEAK, row) / whole) * this.#shortest);
  }

  #cut(expectation: Expectation): RowCommand[][] {
    const commandsOf = new Map<number, number>();
    for (const { row } of this.#commands) commandsOf.set(row, (commandsOf.get(row) ?? 0) + 1);
    const msOf = this.#rows.map((row, i) => expectation(row) / (commandsOf.get(i) ?? 1));
    return cutWhere(this.#commands, ({ row }) => msOf[row] ?? 0, LONGEST);
  }
}

/** Pieces of at most `most` each, as long as possible from the first on; what is more by itself is a piece of its own. */
export function cutWhere<Item>(
  items: readonly Item[],
  sizeOf: (item: Item) => number,
  most: number,
): Item[][] {
  const pieces: Item[][] = [];
  let size = 0;
  for (const item of items) {
    const own = sizeOf(item);
    const last = pieces.at(-1);
    if (last && size + own <= most) {
      last.push(item);
      size += own;
    } else {
      pieces.push([item]);
      size = own;
    }
  }
  return pieces.length > 0 ? pieces : [[]];
}
