import type { Instruction } from './assembly.js';
import { registersOf } from './registers.js';
import { comparisonOf, VECTOR } from './semantics.js';
import type { Action } from './wave-state.js';

/** Instructions of the vector unit: a word a lane, and masks with a bit a lane. */

/** @returns undefined for one that is not known here */
export function vectorAction({ op, operands, modifiers }: Instruction): Action | undefined {
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
