import { constantOf, registersOf } from './registers.js';

/** A word that a program cannot know beforehand is undefined: what is read from memory, above all. */
export type Word = number | undefined;

/** A place in memory that is known by name: a descriptor of a binding, the sizes of the grid. */
export interface Address {
  readonly base: 'set' | 'grid' | number;
  readonly offset: number;
}

/** The registers of one wave. Lanes of a vector register are known together or not at all. */
export class WaveState {
  readonly lanes: number;
  readonly #words = new Map<string, Word>();
  readonly #vectors = new Map<string, Uint32Array | undefined>();
  readonly #addresses = new Map<string, Address>();

  constructor(lanes: number, active: number) {
    this.lanes = lanes;
    const mask = (count: number) => (count >= 32 ? 0xffffffff : count <= 0 ? 0 : 2 ** count - 1);
    this.#words.set('exec_lo', mask(active));
    this.#words.set('exec_hi', mask(active - 32));
  }

  /** Of a register or a constant; the low word where it covers two. */
  word(operand: string, half = 0): Word {
    const name = registersOf(operand)[half];
    if (name !== undefined) return this.#words.get(name);
    const constant = constantOf(operand);
    if (constant === undefined) return undefined;
    // a constant of 64 bits is one of 32 with its sign
    return half === 0 ? constant : constant >>> 31 === 1 ? 0xffffffff : 0;
  }

  setWord(operand: string, value: Word, half = 0): void {
    const name = registersOf(operand)[half];
    if (name === undefined) return;
    this.#words.set(name, value === undefined ? undefined : value >>> 0);
    this.#addresses.delete(name);
  }

  address(operand: string): Address | undefined {
    return this.#addresses.get(registersOf(operand)[0] ?? '');
  }

  setAddress(name: string, address: Address | undefined): void {
    if (address) this.#addresses.set(name, address);
    else this.#addresses.delete(name);
  }

  /** A value a lane; a scalar operand has the same for all. */
  vector(operand: string): Uint32Array | number | undefined {
    const name = registersOf(operand)[0];
    return name?.startsWith('v') && !name.startsWith('vcc') ? this.#vectors.get(name) : this.word(operand);
  }

  /** Lanes that are switched off keep their values. */
  setVector(operand: string, value: ((lane: number) => number) | undefined, half = 0): void {
    const name = registersOf(operand)[half];
    if (name === undefined) return;
    if (!value) {
      this.#vectors.set(name, undefined);
      return;
    }
    const before = this.#vectors.get(name);
    const after = before ? before.slice() : new Uint32Array(this.lanes);
    for (let lane = 0; lane < this.lanes; lane++) if (this.active(lane)) after[lane] = value(lane);
    this.#vectors.set(name, after);
  }

  /** Where it is not known which lanes are switched on, all are taken to be. */
  active(lane: number): boolean {
    const word = this.#words.get(lane < 32 ? 'exec_lo' : 'exec_hi') ?? 0xffffffff;
    return ((word >>> (lane & 31)) & 1) === 1;
  }

  /** Writes a bit a lane; those of lanes that are switched off are zero. */
  setMask(operand: string, bit: ((lane: number) => boolean) | undefined): void {
    for (let half = 0; half * 32 < this.lanes; half++) {
      let word = 0;
      if (bit) {
        for (let lane = 0; lane < 32; lane++) {
          const number = half * 32 + lane;
          if (this.active(number) && bit(number)) word |= 1 << lane;
        }
      }
      this.setWord(operand, bit ? word >>> 0 : undefined, half);
    }
  }

  /** Whether a mask has a bit at all; undefined where it is not known. */
  anyBit(name: 'vcc' | 'exec'): boolean | undefined {
    const low = this.#words.get(`${name}_lo`);
    const high = this.lanes > 32 ? this.#words.get(`${name}_hi`) : 0;
    if (low || high) return true;
    return low === undefined || high === undefined ? undefined : false;
  }
}
