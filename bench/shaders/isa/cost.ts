import type { Block, Instruction } from './assembly.js';

/**
 * What instructions cost a wave on RDNA 3, in cycles of the unit that they keep busy. After the statistics of ACO, Mesa's
 * compiler, and AMD's "RDNA3 Instruction Set Architecture": a wave of 64 issues most vector instructions twice, those of
 * the list DUAL once; transcendental ones and multiplications of integers take a quarter of the rate.
 */
export interface Cost {
  /** Cycles of the vector unit. */
  readonly vector: number;
  /** Cycles of the scalar unit, memory's instructions included. */
  readonly other: number;
  /** Bytes that pass between registers and workgroup memory, for all lanes. */
  readonly workgroupBytes: number;
  /** The same of memory, through the unit's own cache. */
  readonly memoryBytes: number;
  /** Cycles of the vector unit that multiply and add, and multiply matrices. */
  readonly useful: number;
  /** Fused multiply-adds of all lanes. */
  readonly fma: number;
  /** Multiply-adds of all lanes that matrix instructions do. */
  readonly matrix: number;
}

export const NO_COST: Cost = {
  vector: 0,
  other: 0,
  workgroupBytes: 0,
  memoryBytes: 0,
  useful: 0,
  fma: 0,
  matrix: 0,
};

export function costOfBlock({ instructions }: Block, lanes: number): Cost {
  return instructions.reduce((sum, instruction) => addCost(sum, costOf(instruction, lanes)), NO_COST);
}

export function addCost(a: Cost, b: Cost, times = 1): Cost {
  return {
    vector: a.vector + times * b.vector,
    other: a.other + times * b.other,
    workgroupBytes: a.workgroupBytes + times * b.workgroupBytes,
    memoryBytes: a.memoryBytes + times * b.memoryBytes,
    useful: a.useful + times * b.useful,
    fma: a.fma + times * b.fma,
    matrix: a.matrix + times * b.matrix,
  };
}

const DUAL = new Set(
  [
    'fma_f32 fmac_f32 fmaak_f32 fmamk_f32 mul_f32 add_f32 sub_f32 subrev_f32 fma_f16 fmac_f16 fmaak_f16 fmamk_f16',
    'mul_f16 add_f16 sub_f16 subrev_f16 mov_b32 cndmask_b32 max_f32 min_f32 max_f16 min_f16 dot2_f32_f16 dot2_f32_bf16',
  ].flatMap((names) => names.split(' ').map((name) => `v_${name}`)),
);
const QUARTER = /^v_(mul_lo_u32|mul_hi_u32|mul_hi_i32|mad_u64_u32|mad_i64_i32)/;
const TRANSCENDENTAL = /^v_(exp|log|rcp|rsq|sqrt|sin|cos)_/;
const MULTIPLY_ADD = /^v_(dual_)?(fma|fmac|fmaak|fmamk)_f(32|16)/;
/** A 16 × 16 × 16 product of a wave. */
const MATRIX_CYCLES = 32;
const MATRIX_PRODUCTS = 16 ** 3;
const FREE = /^s_(delay_alu|nop|clause|inst_prefetch|set_inst_prefetch|waitcnt)/;

function costOf(instruction: Instruction, lanes: number): Cost {
  const { op, paired } = instruction;
  if (paired) {
    const products = Number(MULTIPLY_ADD.test(op)) + Number(MULTIPLY_ADD.test(paired.op));
    return { ...NO_COST, vector: 1, useful: products / 2, fma: products * lanes };
  }
  if (op.startsWith('v_wmma')) {
    return { ...NO_COST, vector: MATRIX_CYCLES, useful: MATRIX_CYCLES, matrix: MATRIX_PRODUCTS };
  }
  if (op.startsWith('v_')) return costOfVector(op, lanes);
  if (op.startsWith('ds_')) {
    return {
      ...NO_COST,
      other: 1,
      workgroupBytes: /_(load|store|read|write|add|min|max)/.test(op) ? lanes * bytesOf(op) : 0,
    };
  }
  if (isVectorMemory(op)) return { ...NO_COST, other: 1, memoryBytes: lanes * bytesOf(op) };
  return FREE.test(op) ? NO_COST : { ...NO_COST, other: 1 };
}

/** Through the vector cache, of a buffer or an image. */
export function isVectorMemory(op: string): boolean {
  return /^(buffer|global|flat|scratch|image|tbuffer)_(load|store|atomic)/.test(op);
}

function costOfVector(op: string, lanes: number): Cost {
  const passes = lanes / 32;
  if (QUARTER.test(op)) return { ...NO_COST, vector: 4 * passes };
  if (TRANSCENDENTAL.test(op)) return { ...NO_COST, vector: 4 * passes };
  const vector = DUAL.has(op) ? 1 : passes;
  const products =
    MULTIPLY_ADD.test(op) || op.startsWith('v_fma_mix') ? 1 : /^v_pk_fma|^v_dot2/.test(op) ? 2 : 0;
  return { ...NO_COST, vector, useful: products > 0 ? vector : 0, fma: products * lanes };
}

function bytesOf(op: string): number {
  const each = /b128/.test(op)
    ? 16
    : /b96/.test(op)
      ? 12
      : /b64/.test(op)
        ? 8
        : /[bui](8|16)/.test(op)
          ? 2
          : 4;
  return each * (/2addr|2st64|stride64|load_2|store_2/.test(op) ? 2 : 1);
}
