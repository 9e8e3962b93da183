import { bitsFloat, floatBits } from './registers.js';

/**
 * What the instructions compute that sizes, addresses and conditions are made of, on words of 32 bits. An operation that is
 * missing here has an unknown result.
 */
export type WordFunction = (a: number, b: number, c: number) => number;

const signed = (word: number) => word | 0;
const high = (a: number, b: number) => Number((BigInt(a) * BigInt(b)) >> 32n);
const field = (word: number, offset: number, width: number) =>
  width === 0 ? 0 : (word >>> offset) & (width >= 32 ? 0xffffffff : (1 << width) - 1);
const asFloat = (f: (x: number, y: number, z: number) => number): WordFunction => {
  return (a, b, c) => floatBits(Math.fround(f(bitsFloat(a), bitsFloat(b), bitsFloat(c))));
};
const toUnsigned = (x: number) => (x >= 2 ** 32 ? 0xffffffff : x > 0 ? Math.trunc(x) : 0);
const toSigned = (x: number) => Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.trunc(x)));

/** Of both kinds of unit: the scalar instruction `s_NAME`, the vector instruction `v_NAME`. */
const SHARED: Readonly<Record<string, WordFunction>> = {
  mov_b32: (a) => a,
  not_b32: (a) => ~a,
  and_b32: (a, b) => a & b,
  or_b32: (a, b) => a | b,
  xor_b32: (a, b) => a ^ b,
  xnor_b32: (a, b) => ~(a ^ b),
  min_u32: (a, b) => Math.min(a, b),
  max_u32: (a, b) => Math.max(a, b),
  min_i32: (a, b) => Math.min(signed(a), signed(b)),
  max_i32: (a, b) => Math.max(signed(a), signed(b)),
  bfe_u32: field,
  mul_hi_u32: high,
};

export const SCALAR: Readonly<Record<string, WordFunction>> = {
  ...prefixed('s_', SHARED),
  s_bfe_u32: (a, b) => field(a, b & 31, (b >>> 16) & 127),
  s_movk_i32: (a) => (a << 16) >> 16,
  s_add_u32: (a, b) => a + b,
  s_add_i32: (a, b) => a + b,
  s_sub_u32: (a, b) => a - b,
  s_sub_i32: (a, b) => a - b,
  s_mul_i32: Math.imul,
  s_and_not1_b32: (a, b) => a & ~b,
  s_or_not1_b32: (a, b) => a | ~b,
  s_nand_b32: (a, b) => ~(a & b),
  s_nor_b32: (a, b) => ~(a | b),
  s_lshl_b32: (a, b) => a << (b & 31),
  s_lshr_b32: (a, b) => a >>> (b & 31),
  s_ashr_i32: (a, b) => signed(a) >> (b & 31),
  s_bfm_b32: (a, b) => ((1 << (a & 31)) - 1) << (b & 31),
  s_lshl1_add_u32: (a, b) => (a << 1) + b,
  s_lshl2_add_u32: (a, b) => (a << 2) + b,
  s_lshl3_add_u32: (a, b) => (a << 3) + b,
  s_lshl4_add_u32: (a, b) => (a << 4) + b,
  s_pack_ll_b32_b16: (a, b) => (a & 0xffff) | (b << 16),
  s_abs_i32: (a) => Math.abs(signed(a)),
  s_absdiff_i32: (a, b) => Math.abs(signed(a) - signed(b)),
  s_brev_b32: (a) => Number.parseInt((a >>> 0).toString(2).padStart(32, '0').split('').reverse().join(''), 2),
  s_clz_i32_u32: (a) => (a === 0 ? -1 : Math.clz32(a)),
  s_ctz_i32_b32: (a) => (a === 0 ? -1 : 31 - Math.clz32(a & -a)),
  s_sext_i32_i16: (a) => (a << 16) >> 16,
  s_sext_i32_i8: (a) => (a << 24) >> 24,
};

export const VECTOR: Readonly<Record<string, WordFunction>> = {
  ...prefixed('v_', SHARED),
  v_mov_b16: (a) => a,
  v_add_nc_u32: (a, b) => a + b,
  v_sub_nc_u32: (a, b) => a - b,
  v_subrev_nc_u32: (a, b) => b - a,
  v_add_nc_i32: (a, b) => a + b,
  v_sub_nc_i32: (a, b) => a - b,
  v_mul_lo_u32: Math.imul,
  v_mul_u32_u24: (a, b) => Math.imul(a & 0xffffff, b & 0xffffff),
  v_mul_i32_i24: (a, b) => Math.imul((a << 8) >> 8, (b << 8) >> 8),
  v_mad_u32_u24: (a, b, c) => Math.imul(a & 0xffffff, b & 0xffffff) + c,
  v_mad_i32_i24: (a, b, c) => Math.imul((a << 8) >> 8, (b << 8) >> 8) + c,
  v_lshlrev_b32: (a, b) => b << (a & 31),
  v_lshrrev_b32: (a, b) => b >>> (a & 31),
  v_ashrrev_i32: (a, b) => signed(b) >> (a & 31),
  v_bfe_i32: (a, b, c) => (a << (32 - (c & 31) - (b & 31))) >> (32 - (c & 31)),
  v_bfi_b32: (a, b, c) => (a & b) | (~a & c),
  v_bfm_b32: (a, b) => ((1 << (a & 31)) - 1) << (b & 31),
  v_lshl_add_u32: (a, b, c) => (a << (b & 31)) + c,
  v_add_lshl_u32: (a, b, c) => (a + b) << (c & 31),
  v_lshl_or_b32: (a, b, c) => (a << (b & 31)) | c,
  v_and_or_b32: (a, b, c) => (a & b) | c,
  v_or3_b32: (a, b, c) => a | b | c,
  v_xor3_b32: (a, b, c) => a ^ b ^ c,
  v_add3_u32: (a, b, c) => a + b + c,
  v_xad_u32: (a, b, c) => (a ^ b) + c,
  v_min3_u32: (a, b, c) => Math.min(a, b, c),
  v_max3_u32: (a, b, c) => Math.max(a, b, c),
  v_min3_i32: (a, b, c) => Math.min(signed(a), signed(b), signed(c)),
  v_max3_i32: (a, b, c) => Math.max(signed(a), signed(b), signed(c)),
  v_med3_u32: (a, b, c) => Math.max(Math.min(a, b), Math.min(Math.max(a, b), c)),
  v_med3_i32: (a, b, c) =>
    Math.max(Math.min(signed(a), signed(b)), Math.min(Math.max(signed(a), signed(b)), signed(c))),
  v_ffbh_u32: (a) => (a === 0 ? -1 : Math.clz32(a)),
  v_clz_i32_u32: (a) => (a === 0 ? -1 : Math.clz32(a)),
  v_ctz_i32_b32: (a) => (a === 0 ? -1 : 31 - Math.clz32(a & -a)),
  v_cvt_f32_u32: (a) => floatBits(Math.fround(a >>> 0)),
  v_cvt_f32_i32: (a) => floatBits(Math.fround(signed(a))),
  v_cvt_u32_f32: (a) => toUnsigned(bitsFloat(a)),
  v_cvt_i32_f32: (a) => toSigned(bitsFloat(a)),
  v_rcp_iflag_f32: asFloat((x) => 1 / x),
  v_rcp_f32: asFloat((x) => 1 / x),
  v_mul_f32: asFloat((x, y) => x * y),
  v_add_f32: asFloat((x, y) => x + y),
  v_sub_f32: asFloat((x, y) => x - y),
  v_subrev_f32: asFloat((x, y) => y - x),
  v_fma_f32: asFloat((x, y, z) => x * y + z),
  v_trunc_f32: asFloat(Math.trunc),
  v_floor_f32: asFloat(Math.floor),
  v_ceil_f32: asFloat(Math.ceil),
};

function prefixed(prefix: string, functions: Readonly<Record<string, WordFunction>>) {
  return Object.fromEntries(Object.entries(functions).map(([name, f]) => [prefix + name, f]));
}

/** The condition of `s_cmp_…`, `v_cmp_…` and `v_cmpx_…`; undefined where it is none of integers. */
export function comparisonOf(op: string): ((a: number, b: number) => boolean) | undefined {
  const [, relation = '', type = ''] = /_cmpx?k?_(eq|ne|lg|lt|le|gt|ge)_(u32|i32|f32)$/.exec(op) ?? [];
  const read = type === 'i32' ? signed : type === 'f32' ? bitsFloat : (word: number) => word >>> 0;
  const compare = RELATIONS[relation];
  return compare && ((a, b) => compare(read(a), read(b)));
}

const RELATIONS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lg: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
};
