import type { Block, Instruction } from './assembly.js';
import { costOfBlock, isVectorMemory } from './cost.js';

/**
 * How long a wave would take if it had a unit to itself: its instructions one after another, and the waits for memory
 * where the machine code has them (`s_waitcnt`). Stores are not waited for.
 */
export const LATENCY = {
  /** Cycles until a load from memory arrives. Between a hit in the second-level cache and one in none. */
  memory: 600,
  /** The same from workgroup memory, and of scalars by their own cache. */
  workgroup: 32,
  scalar: 30,
  /** Until the last wave of a workgroup has reached a barrier. */
  barrier: 20,
} as const;

/** A block's first visits are followed one by one; by then, loads in flight from visit to visit have settled. */
const FOLLOWED = 4;

export class WaveClock {
  readonly #lanes: number;
  readonly #visits = new Map<Block, { count: number; cycles: number }>();
  /** When the loads that are under way arrive, the oldest first. */
  #memory: number[] = [];
  #near: number[] = [];
  #now = 0;

  constructor(lanes: number) {
    this.#lanes = lanes;
  }

  get cycles(): number {
    return this.#now;
  }

  visit(block: Block): void {
    let known = this.#visits.get(block);
    if (!known) {
      known = { count: 0, cycles: 0 };
      this.#visits.set(block, known);
    }
    if (known.count++ >= FOLLOWED) {
      this.#pass(known.cycles);
      return;
    }
    const before = this.#now;
    for (const instruction of block.instructions) this.#issue(instruction);
    known.cycles = this.#now - before;
  }

  /** Time goes by without a look at what is under way: it arrives as much later, as in the visits before. */
  #pass(cycles: number): void {
    this.#now += cycles;
    this.#memory = this.#memory.map((at) => at + cycles);
    this.#near = this.#near.map((at) => at + cycles);
  }

  #issue(instruction: Instruction): void {
    const { op, operands } = instruction;
    if (op === 's_waitcnt') {
      const text = [...operands, instruction.modifiers].join(' ');
      this.#wait(this.#memory, /vmcnt\((\d+)\)/.exec(text)?.[1]);
      this.#wait(this.#near, /lgkmcnt\((\d+)\)/.exec(text)?.[1]);
      return;
    }
    if (op === 's_barrier') this.#now += LATENCY.barrier;
    const { vector, other } = costOfBlock(
      { name: '', target: undefined, instructions: [instruction] },
      this.#lanes,
    );
    this.#now += vector + other;
    if (isVectorMemory(op)) {
      if (!op.includes('_store')) this.#memory.push(this.#now + LATENCY.memory);
    } else if (op.startsWith('ds_')) this.#near.push(this.#now + LATENCY.workgroup);
    else if (/^s_(buffer_)?load/.test(op)) this.#near.push(this.#now + LATENCY.scalar);
  }

  /** Until no more than `count` of the loads are under way. */
  #wait(loads: number[], count: string | undefined): void {
    if (count === undefined) return;
    while (loads.length > Number(count)) this.#now = Math.max(this.#now, loads.shift() ?? 0);
  }
}
