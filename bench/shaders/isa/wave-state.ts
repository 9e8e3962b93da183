import { constantOf, registersOf } from './registers.js';

/** A word that a program cannot know beforehand is undefined: what is read from memory, above all. */
export type Word = number | undefined;

/** A place in memory that is known by name: a descriptor of a binding, the sizes of the grid. */
export interface Address {
  readonly base: 'set' | 'grid' | number;
  readonly offset: number;
}

/** Carries out an instruction. */
export type Action = (wave: WaveState) => void;

/** The registers of one wave. Lanes of a vector register are known together or not at all. */
export class WaveState {
  readonly lanes: number;
  readonly #words = new Map<string, Word>();
  readonly #vectors = new Map<string, Uint32Array | undefined>();
  readonly #addresses = new Map<string, Address>();
  /** The lanes that are switched on; all of them where that is not known. */
  #active: readonly number[] = [];

  constructor(lanes: number, active: number) {
    this.lanes = lanes;
    const mask = (count: number) => (count >= 32 ? 0xffffffff : count <= 0 ? 0 : 2 ** count - 1);
    this.setWord('exec_lo', mask(active));
    this.setWord('exec_hi', mask(active - 32));
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
    if (name === 'exec_lo' || name === 'exec_hi') this.#active = this.#switchedOn();
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

  /** Lanes that are switched off keep their values. `value` may read the same register, of the same lane. */
  setVector(operand: string, value: ((lane: number) => number) | undefined, half = 0): void {
    const name = registersOf(operand)[half];
    if (name === undefined) return;
    if (!value) {
      this.#vectors.set(name, undefined);
      return;
    }
    let vector = this.#vectors.get(name);
    if (!vector) {
      vector = new Uint32Array(this.lanes);
      this.#vectors.set(name, vector);
    }
    for (const lane of this.#active) vector[lane] = value(lane);
  }

  /** The first lane that is switched on; the first of all where none is. */
  get firstLane(): number {
    return this.#active[0] ?? 0;
  }

  /** Writes a bit a lane; those of lanes that are switched off are zero. */
  setMask(operand: string, bit: ((lane: number) => boolean) | undefined): void {
    const words = [0, 0];
    if (bit) {
      for (const lane of this.#active) {
        if (bit(lane)) words[lane >> 5] = ((words[lane >> 5] ?? 0) | (1 << (lane & 31))) >>> 0;
      }
    }
    for (let half = 0; half * 32 < this.lanes; half++) {
      this.setWord(operand, bit ? words[half] : undefined, half);
    }
  }

  /** Whether a mask has a bit at all; undefined where it is not known. */
  anyBit(name: 'vcc' | 'exec'): boolean | undefined {
    const low = this.#words.get(`${name}_lo`);
    const high = this.lanes > 32 ? this.#words.get(`${name}_hi`) : 0;
    if (low || high) return true;
    return low === undefined || high === undefined ? undefined : false;
  }

  #switchedOn(): readonly number[] {
    const masks = [this.#words.get('exec_lo') ?? 0xffffffff, this.#words.get('exec_hi') ?? 0xffffffff];
    return lanesOf(masks[0] ?? 0, this.lanes > 32 ? (masks[1] ?? 0) : 0);
  }
}

function lanesOf(low: number, high: number): readonly number[] {
  const key = `${high} ${low}`;
  let lanes = known.get(key);
  if (!lanes) {
    lanes = Array.from({ length: 64 }, (_, lane) => lane).filter(
      (lane) => (((lane < 32 ? low : high) >>> (lane & 31)) & 1) === 1,
    );
    known.set(key, lanes);
  }
  return lanes;
}

/** Lists of lanes by mask. */
const known = new Map<string, readonly number[]>();
