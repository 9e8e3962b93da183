import { describe, expect, it } from 'vitest';
import { NAVI31 } from '../../../bench/shaders/gpu.js';
import { parseAssembly } from '../../../bench/shaders/isa/assembly.js';
import { LATENCY } from '../../../bench/shaders/isa/clock.js';
import { costOfBlock } from '../../../bench/shaders/isa/cost.js';
import { groupsAtOnce, model } from '../../../bench/shaders/model.js';
import { ADD_UP, DIVERGENT, kernelOf } from './listings.js';

describe('machine code', () => {
  it('is read as blocks that end with their branches, pairs and modifiers included', () => {
    const blocks = parseAssembly(ADD_UP);
    expect(blocks.map(({ name, target }) => [name, target])).toEqual([
      ['BB0', undefined],
      ['BB1', 3],
      ['BB2', 1],
      ['BB3', undefined],
    ]);
    const [load, , pair] = blocks[2]!.instructions;
    expect(load).toMatchObject({ op: 'buffer_load_b32', operands: ['v2', 'v0', 's[8:11]', '0'] });
    expect(load?.modifiers).toBe('offen');
    expect(pair).toMatchObject({ op: 'v_dual_fmac_f32', paired: { op: 'v_dual_mov_b32' } });
  });

  it('costs a wave of 64 one cycle where both halves issue together, and two elsewhere', () => {
    const cost = (line: string, lanes: number) => costOfBlock(parseAssembly(`BB0:\n\t${line}`)[0]!, lanes);
    expect(cost('v_fmac_f32_e32 v1, v2, v3', 64)).toMatchObject({ vector: 1, useful: 1, fma: 64 });
    expect(cost('v_dual_fmac_f32 v1, v2, v3 :: v_dual_fmac_f32 v4, v5, v6', 32)).toMatchObject({
      vector: 1,
      useful: 1,
      fma: 64,
    });
    expect(cost('v_fma_mix_f32 v1, v2, v3, v4', 64)).toMatchObject({ vector: 2, fma: 64 });
    expect(cost('v_wmma_f32_16x16x16_f16 v[0:7], v[8:15], v[16:23], v[0:7]', 32)).toMatchObject({
      vector: 32,
      useful: 32,
      matrix: 4096,
    });
    expect(cost('ds_load_b128 v[0:3], v4 offset:16', 32).workgroupBytes).toBe(512);
    expect(cost('v_mul_lo_u32 v1, v2, v3', 64).vector).toBe(8);
  });
});

describe('the model', () => {
  it('gives a loop the trips that the sizes make, and waits for each of its loads', () => {
    const trips = 1792;
    const work = { grid: [10, 1, 1], dims: [trips], bytes: 1000 } as const;
    const { visits, bound, seconds, guesses } = model(kernelOf(ADD_UP), work, NAVI31);
    expect(visits).toEqual([1, trips + 1, trips, 1]);
    expect(bound).toBe('latency');
    expect(guesses).toBe(0);
    expect(seconds).toBeGreaterThan((trips * LATENCY.memory) / NAVI31.hertz);
    expect(seconds).toBeLessThan((trips * (LATENCY.memory + 20)) / NAVI31.hertz);
  });

  it('is bound by memory where there are bytes enough', () => {
    const work = { grid: [10, 1, 1], dims: [1], bytes: 960e6 } as const;
    const { bound, seconds } = model(kernelOf(ADD_UP), work, NAVI31);
    expect(bound).toBe('memory');
    expect(seconds).toBeCloseTo(1e-3, 5);
  });

  it('gives the unit with the most workgroups their sum', () => {
    const cycles = (groups: number) => {
      const kernel = kernelOf(ADD_UP, { 'Subgroups per SIMD': 1 }, 256);
      return model(kernel, { grid: [groups, 1, 1], dims: [100], bytes: 0 }, NAVI31).cycles;
    };
    expect(cycles(96)).toBe(cycles(1));
    expect(cycles(97)).toBe(2 * cycles(96));
  });

  it('follows lanes that go another way', () => {
    const kernel = kernelOf(DIVERGENT, {}, 64, 32);
    const { visits } = model(kernel, { grid: [1, 1, 1], dims: [], bytes: 0 }, NAVI31);
    // the first wave has lanes below 8, the second has none
    expect(visits).toEqual([1, 0.5, 1]);
  });

  it('guesses where a branch depends on memory, and says so', () => {
    const unknown = ADD_UP.replace('s_mov_b32 s5, 0', 's_load_b32 s5, s[8:9], null');
    const { guesses } = model(kernelOf(unknown), { grid: [1, 1, 1], dims: [5], bytes: 0 }, NAVI31);
    expect(guesses).toBeGreaterThan(0);
  });

  it('holds as many workgroups as waves and workgroup memory allow', () => {
    const held = (statistics: Record<string, number>, waves: number) =>
      groupsAtOnce(kernelOf(ADD_UP, statistics).compiled, waves, NAVI31);
    expect(held({ 'Subgroups per SIMD': 16 }, 4)).toBe(8);
    expect(held({ 'Subgroups per SIMD': 7 }, 4)).toBe(3);
    expect(held({ 'LDS size': 20480 }, 4)).toBe(3);
  });
});
