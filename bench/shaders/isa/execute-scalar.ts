import type { Instruction } from './assembly.js';
import { effectsOf } from './dataflow.js';
import { registersOf } from './registers.js';
import { comparisonOf, SCALAR, type WordFunction } from './semantics.js';
import type { Action, WaveState } from './wave-state.js';

/** Instructions of the scalar unit: words of 32 and 64 bits that a wave has once, and its condition `scc`. */

/** @returns undefined for one that is not known here */
export function scalarAction({ op, operands }: Instruction): Action | undefined {
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
