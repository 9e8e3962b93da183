import type { Instruction } from './assembly.js';
import { effectsOf } from './dataflow.js';
import { registersOf } from './registers.js';
import { comparisonOf, SCALAR, VECTOR, type WordFunction } from './semantics.js';
import type { Address, WaveState } from './wave-state.js';

/** Carries out one instruction on a wave. What an instruction does that is not known here leaves its results unknown. */
export type Action = (wave: WaveState) => void;

/** The memory whose contents are known: sizes given to the kernel, by number of their binding's descriptor. */
export interface KnownMemory {
  read(address: Address): number | undefined;
}

export function actionOf(instruction: Instruction, memory: KnownMemory): Action {
  const first = singleAction(instruction, memory);
  if (!instruction.paired) return first;
  const second = singleAction(instruction.paired, memory);
  return (wave) => {
    first(wave);
    second(wave);
  };
}

function singleAction(instruction: Instruction, memory: KnownMemory): Action {
  const { op } = instruction;
  if (/^s_(buffer_)?load_/.test(op)) return load(instruction, memory);
  if (op.startsWith('s_')) return scalarAction(instruction) ?? forget(instruction);
  if (op.startsWith('v_')) return vectorAction(instruction) ?? forget(instruction);
  return forget(instruction);
}

/** Leaves everything that the instruction writes unknown. */
function forget({ op, operands, modifiers }: Instruction): Action {
  const { writes } = effectsOf({ op, operands, modifiers });
  return (wave) => {
    for (const name of writes) {
      if (/^v\d/.test(name)) wave.setVector(name, undefined);
      else wave.setWord(name, undefined);
    }
  };
}

function load(
  { op, operands: [result = '', base = '', offset = ''], modifiers }: Instruction,
  memory: KnownMemory,
): Action {
  const names = registersOf(result);
  const more = Number(/offset:(0x[0-9a-f]+|\d+)/.exec(modifiers)?.[1] ?? 0);
  return (wave) => {
    const at = wave.address(base);
    const add = wave.word(offset);
    names.forEach((name, i) => {
      const address = at && add !== undefined ? { ...at, offset: at.offset + add + more + 4 * i } : undefined;
      const descriptor = address?.base === 'set' && !op.startsWith('s_buffer');
      wave.setWord(name, address && !descriptor ? memory.read(address) : undefined);
      if (descriptor && address) wave.setAddress(name, { base: address.offset, offset: 0 });
    });
  };
}

function scalarAction({ op, operands }: Instruction): Action | undefined {
  const [d = '', a = '', b = ''] = operands;
  if (/^s_cmpk?_/.test(op)) return compareScalars(op, d, a);
  if (/^s_bitcmp[01]_b32/.test(op)) {
    return (wave) => {
      const [word, bit] = [wave.word(d), wave.word(a)];
      const set = word === undefined || bit === undefined ? undefined : (word >>> (bit & 31)) & 1;
      wave.setWord('scc', set === undefined ? undefined : op.includes('cmp1') ? set : 1 - set);
    };
  }
  if (op === 's_mov_b32' || op === 's_mov_b64') {
    return (wave) => {
      const halves = op === 's_mov_b64' ? 2 : 1;
      const values = [wave.word(a), wave.word(a, 1)];
      const address = wave.address(a);
      for (let half = 0; half < halves; half++) wave.setWord(d, values[half], half);
      wave.setAddress(registersOf(d)[0] ?? '', address);
    };
  }
  if (/^s_cselect_b(32|64)/.test(op)) {
    return (wave) => {
      const taken = wave.word('scc');
      const from = taken === undefined ? undefined : taken ? a : b;
      const values = [0, 1].map((half) => (from === undefined ? undefined : wave.word(from, half)));
      for (let half = 0; half < (op.endsWith('64') ? 2 : 1); half++) wave.setWord(d, values[half], half);
    };
  }
  const saving = /^s_(and|or|xor|and_not1|and_not0|or_not1)_saveexec_b(32|64)/.exec(op);
  if (saving) return saveExec(saving[1] ?? '', d, a, saving[2] === '64' ? 2 : 1);
  if (/^s_addk_i32/.test(op)) return combine(d, [d, a], (x, y) => x + ((y << 16) >> 16), 'none');
  if (/^s_mulk_i32/.test(op)) return combine(d, [d, a], (x, y) => Math.imul(x, (y << 16) >> 16), 'none');
  if (/^s_(addc|subb)_u32/.test(op)) {
    return (wave) => {
      const [x, y, carry] = [wave.word(a), wave.word(b), wave.word('scc')];
      const known = x !== undefined && y !== undefined && carry !== undefined;
      const sum = known ? (op.startsWith('s_addc') ? x + y + carry : x - y - carry) : undefined;
      wave.setWord(d, sum);
      wave.setWord('scc', sum === undefined ? undefined : sum > 0xffffffff || sum < 0 ? 1 : 0);
    };
  }
  const wide = op.endsWith('_b64') ? wideAction(op, d, a, b) : undefined;
  if (wide) return wide;
  const compute = SCALAR[op];
  if (!compute) return undefined;
  const flag = /^s_(add|sub)_u32/.test(op)
    ? 'carry'
    : /^s_(min|max)_/.test(op)
      ? 'first'
      : effectsOf({ op, operands, modifiers: '' }).writes.includes('scc')
        ? 'nonzero'
        : 'none';
  return combine(d, operands.slice(1), compute, flag);
}

function combine(
  result: string,
  operands: readonly string[],
  compute: WordFunction,
  flag: 'carry' | 'first' | 'nonzero' | 'none',
): Action {
  const [a = '0', b = '0'] = operands;
  return (wave) => {
    const [x, y] = [wave.word(a), wave.word(b)];
    const value = x === undefined || y === undefined ? undefined : compute(x, y, 0);
    wave.setWord(result, value);
    if (flag === 'none') return;
    const set =
      value === undefined
        ? undefined
        : flag === 'carry'
          ? value > 0xffffffff || value < 0
          : flag === 'first'
            ? value >>> 0 === x
            : value >>> 0 !== 0;
    wave.setWord('scc', set === undefined ? undefined : Number(set));
  };
}

function compareScalars(op: string, a: string, b: string): Action | undefined {
  const wide = /_(eq|lg)_u64$/.exec(op)?.[1];
  if (wide) {
    return (wave) => {
      const words = [wave.word(a), wave.word(a, 1), wave.word(b), wave.word(b, 1)];
      const known = words.every((word) => word !== undefined);
      const equal = words[0] === words[2] && words[1] === words[3];
      wave.setWord('scc', known ? Number(equal === (wide === 'eq')) : undefined);
    };
  }
  const compare = comparisonOf(op.replace('s_cmpk_', 's_cmp_'));
  if (!compare) return undefined;
  return (wave) => {
    const [x, y] = [wave.word(a), wave.word(b)];
    wave.setWord('scc', x === undefined || y === undefined ? undefined : Number(compare(x, y)));
  };
}

const MASKS: Readonly<Record<string, WordFunction>> = {
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  and_not1: (a, b) => a & ~b,
  and_not0: (a, b) => ~a & b,
  or_not1: (a, b) => a | ~b,
};

/** exec = operand ∘ exec, and the old exec is kept. */
function saveExec(name: string, result: string, operand: string, halves: number): Action | undefined {
  const compute = MASKS[name];
  if (!compute) return undefined;
  return (wave) => {
    const masks = [0, 1].map((half) => wave.word(operand, half));
    const before = ['exec_lo', 'exec_hi'].map((exec) => wave.word(exec));
    let any: number | undefined = 0;
    for (let half = 0; half < halves; half++) {
      const [mask, old] = [masks[half], before[half]];
      const value = mask === undefined || old === undefined ? undefined : compute(mask, old, 0) >>> 0;
      wave.setWord(result, old, half);
      wave.setWord(half === 0 ? 'exec_lo' : 'exec_hi', value);
      any = value === undefined || any === undefined ? undefined : any | value;
    }
    wave.setWord('scc', any === undefined ? undefined : Number(any !== 0));
  };
}

function wideAction(op: string, d: string, a: string, b: string): Action | undefined {
  const big = (wave: WaveState, operand: string) => {
    const [low, top] = [wave.word(operand), wave.word(operand, 1)];
    return low === undefined || top === undefined ? undefined : (BigInt(top) << 32n) | BigInt(low);
  };
  const compute = WIDE[op];
  if (!compute) return undefined;
  return (wave) => {
    const x = big(wave, a);
    const y = b === '' ? 0n : big(wave, b);
    const value = x === undefined || y === undefined ? undefined : BigInt.asUintN(64, compute(x, y));
    wave.setWord(d, value === undefined ? undefined : Number(value & 0xffffffffn), 0);
    wave.setWord(d, value === undefined ? undefined : Number(value >> 32n), 1);
    if (op !== 's_bfm_b64') wave.setWord('scc', value === undefined ? undefined : Number(value !== 0n));
  };
}

const WIDE: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  s_and_b64: (a, b) => a & b,
  s_or_b64: (a, b) => a | b,
  s_xor_b64: (a, b) => a ^ b,
  s_xnor_b64: (a, b) => ~(a ^ b),
  s_nor_b64: (a, b) => ~(a | b),
  s_nand_b64: (a, b) => ~(a & b),
  s_not_b64: (a) => ~a,
  s_and_not1_b64: (a, b) => a & ~b,
  s_or_not1_b64: (a, b) => a | ~b,
  s_lshl_b64: (a, b) => a << (b & 63n),
  s_lshr_b64: (a, b) => a >> (b & 63n),
  s_bfm_b64: (a, b) => ((1n << (a & 63n)) - 1n) << (b & 63n),
};

function vectorAction({ op, operands, modifiers }: Instruction): Action | undefined {
  const [d = '', a = '', b = '', c = ''] = operands;
  // values that come from other lanes, halves of words, and negated or clamped ones are not followed
  if (/dpp|quad_perm|row_|op_sel|clamp|mul:|div:/.test(modifiers)) return undefined;
  if (operands.some((operand) => /^-[vs|]|\||\.[lh]$/.test(operand))) return undefined;
  if (op === 'v_readfirstlane_b32') {
    return (wave) => {
      const value = wave.vector(a);
      if (typeof value !== 'object') return wave.setWord(d, value);
      wave.setWord(d, value[wave.firstLane]);
    };
  }
  if (op === 'v_readlane_b32') {
    return (wave) => {
      const [value, lane] = [wave.vector(a), wave.word(b)];
      wave.setWord(d, typeof value === 'object' && lane !== undefined ? value[lane % wave.lanes] : undefined);
    };
  }
  if (/^v_cmpx?_/.test(op)) return compareVectors(op, operands);
  if (op === 'v_cndmask_b32') {
    return (wave) => {
      const [no, yes] = [wave.vector(a), wave.vector(b)];
      const masks = [wave.word(c), wave.word(c, 1)];
      const known = no !== undefined && yes !== undefined && masks[0] !== undefined;
      if (!known) return wave.setVector(d, undefined);
      const bit = (lane: number) => ((masks[lane >> 5] ?? 0) >>> (lane & 31)) & 1;
      wave.setVector(d, (lane) => valueAt(bit(lane) ? yes : no, lane));
    };
  }
  if (/^v_mbcnt_(lo|hi)_u32_b32/.test(op)) {
    const upper = op.includes('_hi_');
    return (wave) => {
      const [mask, base] = [wave.vector(a), wave.vector(b)];
      if (mask === undefined || base === undefined) return wave.setVector(d, undefined);
      wave.setVector(d, (lane) => {
        const below = Math.max(0, Math.min(32, upper ? lane - 32 : lane));
        const bits = valueAt(mask, lane) & (below === 32 ? 0xffffffff : 2 ** below - 1);
        return countBits(bits >>> 0) + valueAt(base, lane);
      });
    };
  }
  const carrying = /^v_(add|sub|subrev)_co_(ci_)?u32/.exec(op);
  if (carrying) return carry(operands, carrying[1] ?? '', carrying[2] !== undefined);
  if (/^v_mad_(co_)?u64_u32/.test(op)) return multiplyAddWide(operands);
  const compute = VECTOR[op];
  if (!compute) return undefined;
  const sources = operands.slice(1);
  return (wave) => {
    const [x, y = 0, z = 0] = sources.map((source) => wave.vector(source) ?? null);
    if (x === null || x === undefined || y === null || z === null) return wave.setVector(d, undefined);
    wave.setVector(d, (lane) => compute(valueAt(x, lane), valueAt(y, lane), valueAt(z, lane)));
  };
}

function compareVectors(op: string, operands: readonly string[]): Action | undefined {
  const compare = comparisonOf(op);
  if (!compare) return undefined;
  const [a = '', b = ''] = operands.slice(-2);
  const result = op.startsWith('v_cmpx') ? 'exec' : (operands[0] ?? '');
  return (wave) => {
    const [x, y] = [wave.vector(a), wave.vector(b)];
    const known = x !== undefined && y !== undefined;
    wave.setMask(result, known ? (lane) => compare(valueAt(x, lane), valueAt(y, lane)) : undefined);
  };
}

function carry(operands: readonly string[], kind: string, carriesIn: boolean): Action {
  const [d = '', out = '', a = '', b = '', into = ''] = operands;
  return (wave) => {
    const [x, y] = [wave.vector(a), wave.vector(b)];
    const masks = carriesIn ? [wave.word(into), wave.word(into, 1)] : [0, 0];
    if (x === undefined || y === undefined || masks[0] === undefined) {
      wave.setVector(d, undefined);
      wave.setMask(out, undefined);
      return;
    }
    const exact = (lane: number) => {
      const one = ((masks[lane >> 5] ?? 0) >>> (lane & 31)) & 1;
      const [p, q] = [valueAt(x, lane), valueAt(y, lane)];
      return kind === 'add' ? p + q + one : kind === 'sub' ? p - q - one : q - p - one;
    };
    const carries = Array.from({ length: wave.lanes }, (_, lane) => exact(lane));
    wave.setVector(d, exact);
    wave.setMask(out, (lane) => (carries[lane] ?? 0) > 0xffffffff || (carries[lane] ?? 0) < 0);
  };
}

function multiplyAddWide([d = '', , a = '', b = '', c = '']: readonly string[]): Action {
  return (wave) => {
    const [x, y] = [wave.vector(a), wave.vector(b)];
    const [low, top] = [0, 1].map((half) => {
      const name = registersOf(c)[half];
      return name === undefined ? wave.word(c, half) : wave.vector(name);
    });
    const known = x !== undefined && y !== undefined && low !== undefined && top !== undefined;
    if (!known) {
      wave.setVector(d, undefined);
      wave.setVector(d, undefined, 1);
      return;
    }
    const sums = Array.from({ length: wave.lanes }, (_, lane) => {
      const addend = (BigInt(valueAt(top, lane)) << 32n) | BigInt(valueAt(low, lane));
      return BigInt.asUintN(64, BigInt(valueAt(x, lane)) * BigInt(valueAt(y, lane)) + addend);
    });
    wave.setVector(d, (lane) => Number((sums[lane] ?? 0n) & 0xffffffffn));
    wave.setVector(d, (lane) => Number((sums[lane] ?? 0n) >> 32n), 1);
  };
}

function valueAt(value: Uint32Array | number, lane: number): number {
  return typeof value === 'number' ? value : (value[lane] ?? 0);
}

function countBits(word: number): number {
  let count = 0;
  for (let rest = word; rest !== 0; rest &= rest - 1) count++;
  return count;
}
