import { readCode } from '../../../bench/shaders/isa/walk.js';
import type { Kernel } from '../../../bench/shaders/model.js';

/** Machine code by hand, for tests of the model. */

/** Adds up `dims[0]` shares: a load, waited for, and a sum in each round. */
export const ADD_UP = `BB0:
	s_load_b128 s[4:7], s[2:3], 0x20                            ; f4080101 f8000020
	s_waitcnt lgkmcnt(0)                                        ; bf89fc07
	s_buffer_load_b32 s1, s[4:7], null                          ; f4200042 f8000000
	s_mov_b32 s5, 0                                             ; be850080
BB1:
	s_waitcnt lgkmcnt(0)                                        ; bf89fc07
	s_cmp_ge_u32 s5, s1                                         ; bf090105
	s_cbranch_scc1 BB3                                          ; bfa20015
BB2:
	buffer_load_b32 v2, v0, s[8:11], 0 offen                    ; e0500000 80420202
	s_waitcnt vmcnt(0)                                          ; bf8903f7
	v_dual_fmac_f32 v1, v2, v2 :: v_dual_mov_b32 v3, v2         ; 06020501
	s_add_u32 s5, s5, 1                                         ; 80058105
	s_branch BB1                                                ; bfa0ffe8
BB3:
	buffer_store_b32 v1, v0, s[0:3], 0 offen                    ; e0680000 80400100
	s_endpgm                                                    ; bfb00000
`;

/** Two lanes of three in a wave skip a block, by the lane's number. */
export const DIVERGENT = `BB0:
	v_mov_b32_e32 v1, 0
	v_cmp_gt_u32_e32 vcc_lo, 8, v0
	s_and_saveexec_b32 s0, vcc_lo
	s_cbranch_execz BB2
BB1:
	v_mul_lo_u32 v1, v0, v0
BB2:
	s_mov_b32 exec_lo, s0
	s_endpgm
`;

const START = 's2: %1:s[0-1],  s1: %2:s[2],  s1: %3:s[3],  v1: %4:v[0] = p_startpgm';

export function kernelOf(
  assembly: string,
  statistics: Readonly<Record<string, number>> = {},
  lanes = 64,
  waveLanes = 64,
): Kernel {
  const known = { 'Subgroups per SIMD': 16, 'LDS size': 0, ...statistics };
  return {
    compiled: {
      assembly,
      statistics: new Map(Object.entries(known)),
      startOfProgram: START,
      nir: '%12 = @load_workgroup_id\n%15 = iadd %12.x, %3',
      waveLanes,
    },
    code: readCode(assembly),
    bindings: [
      { number: 0, kind: 'storage' },
      { number: 1, kind: 'storage' },
      { number: 2, kind: 'uniform' },
    ],
    size: [lanes, 1, 1],
  };
}
