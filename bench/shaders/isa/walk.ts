import { type Block, type Instruction, parseAssembly } from './assembly.js';
import type { WaveClock } from './clock.js';
import { decidingInstructions } from './dataflow.js';
import { actionOf, type KnownMemory } from './execute.js';
import type { Action, WaveState } from './wave-state.js';

/** How often a wave runs each block of its program. */
export interface Walk {
  readonly counts: readonly number[];
  /** Branches whose condition depends on what is in memory, and so had to be guessed. */
  readonly guesses: number;
}

/** Machine code, and what of it decides where a wave goes. */
export interface WalkedCode {
  readonly blocks: readonly Block[];
  readonly deciding: ReadonlySet<Instruction>;
}

export function readCode(assembly: string): WalkedCode {
  const blocks = parseAssembly(assembly);
  return { blocks, deciding: decidingInstructions(blocks) };
}

/** ACO's own guess of a loop's trips. */
const GUESSED_TRIPS = 8;
const MOST_BLOCKS = 5_000_000;

/** A program made ready to be walked many times: only what decides its way is carried out. */
export class Walker {
  readonly #blocks: readonly Block[];
  readonly #actions: readonly (readonly Action[])[];

  constructor({ blocks, deciding }: WalkedCode, memory: KnownMemory) {
    this.#blocks = blocks;
    this.#actions = blocks.map(({ instructions }) =>
      instructions.filter((each) => deciding.has(each)).map((each) => actionOf(each, memory)),
    );
  }

  walk(wave: WaveState, clock: WaveClock): Walk {
    const counts = new Array<number>(this.#blocks.length).fill(0);
    const taken = new Map<number, number>();
    let guesses = 0;
    let at: number | undefined = 0;
    for (let steps = 0; at !== undefined && at < this.#blocks.length && steps < MOST_BLOCKS; steps++) {
      const number: number = at;
      const block: Block = this.#blocks[number]!;
      const { instructions, target } = block;
      counts[number] = (counts[number] ?? 0) + 1;
      clock.visit(block);
      for (const act of this.#actions[number]!) act(wave);
      const last = instructions.at(-1);
      if (last?.op === 's_endpgm') break;
      let jump: boolean | undefined = last === undefined || target === undefined ? false : jumps(last, wave);
      if (jump === undefined) {
        guesses++;
        // a loop goes round a few times, and nothing is skipped
        const rounds = (taken.get(number) ?? 0) + 1;
        taken.set(number, rounds);
        const backward = target !== undefined && target <= number;
        jump = backward
          ? rounds % GUESSED_TRIPS !== 0
          : leavesLoop(this.#blocks, number) && rounds % GUESSED_TRIPS === 0;
      }
      at = jump ? target : number + 1;
    }
    return { counts, guesses };
  }
}

/** Whether a branch forward leaves a loop: some later block, before its target, leads back. */
function leavesLoop(blocks: readonly Block[], from: number): boolean {
  const target = blocks[from]?.target ?? from;
  return blocks.some(
    (block, i) => i > from && i < target && block.target !== undefined && block.target <= from,
  );
}

function jumps({ op }: Instruction, wave: WaveState): boolean | undefined {
  const scc = wave.word('scc');
  switch (op) {
    case 's_branch':
      return true;
    case 's_cbranch_scc0':
      return scc === undefined ? undefined : scc === 0;
    case 's_cbranch_scc1':
      return scc === undefined ? undefined : scc !== 0;
    default: {
      const any = wave.anyBit(op.includes('vcc') ? 'vcc' : 'exec');
      return any === undefined ? undefined : op.endsWith('nz') ? any : !any;
    }
  }
}
