import { describe, expect, it } from 'vitest';
import { changes, check } from '../../../bench/shaders/check.js';
import { NAVI31 } from '../../../bench/shaders/gpu.js';
import type { JudgedDispatch, Judgement } from '../../../bench/shaders/judge.js';
import { type Kept, summarise } from '../../../bench/shaders/kept.js';
import { model } from '../../../bench/shaders/model.js';
import { idleUnits, programTable, programTotals } from '../../../bench/shaders/table.js';
import { ADD_UP, kernelOf } from './listings.js';

function judged(statistics: Record<string, number>, shares = 100): JudgedDispatch {
  const kernel = kernelOf(ADD_UP, { VGPRs: 24, 'Code size': 140, ...statistics });
  const work = { grid: [8, 1, 1], dims: [shares], bytes: 1e6 } as const;
  return {
    dispatch: {
      action: 0,
      op: 'conv2d',
      label: 'net.conv2d',
      shape: '[8,2,2,512] → [8,2,2,512]',
      variant: 'tile64',
      step: 1,
      steps: 2,
      shader: { code: '', layout: { entries: [] } },
      flops: 1e6,
      leastBytes: 1e6,
      ...work,
    },
    key: 'abc',
    kernel,
    modelled: model(kernel, work, NAVI31),
    roofSeconds: 1e-6,
  };
}

function judgement(...dispatches: JudgedDispatch[]): Judgement {
  return { programs: [{ program: 'net', dispatches, roofSeconds: 1e-6, refused: 0 }], refused: [] };
}

const keptOf = (old: Judgement): Kept => ({ mesa: '1.2.3', family: 'NAVI31', programs: summarise(old) });

describe('the check of kernels', () => {
  const good = judgement(judged({}));

  it('finds nothing in kernels as they were', () => {
    expect(check(good, keptOf(good))).toEqual({ checked: 1, failures: [], warnings: [] });
    expect(changes(summarise(good), keptOf(good))).toHaveLength(1);
  });

  it('fails on spills and on scratch, with nothing to compare with', () => {
    const { failures } = check(judgement(judged({ 'Spilled VGPRs': 3, 'Scratch size': 256 })), undefined);
    expect(failures).toEqual([
      expect.stringContaining(
        'conv2d tile64 [8,2,2,512] → [8,2,2,512] (abc): Spilled VGPRs: 3, Scratch size: 256',
      ),
    ]);
  });

  it('fails on a kernel that no longer compiles', () => {
    const refused = [{ program: 'net', op: 'conv2d', variant: 'tile64', reason: 'no such type' }];
    expect(check({ ...good, refused }, undefined).failures).toEqual([
      'net: conv2d tile64 does not compile: no such type',
    ]);
  });

  it('fails on lost occupancy', () => {
    const worse = judgement(judged({ 'Subgroups per SIMD': 7 }));
    expect(check(worse, keptOf(good)).failures).toEqual(['net: conv2d tile64 2/2: 16 → 7 waves a SIMD']);
    expect(check(good, keptOf(worse)).failures).toEqual([]);
  });

  it('warns of a program and a kernel that take longer by more than a twentieth', () => {
    const { failures, warnings } = check(judgement(judged({}, 120)), keptOf(good));
    expect(failures).toEqual([]);
    expect(warnings).toHaveLength(2);
    expect(warnings[1]).toMatch(/^net: conv2d tile64 2\/2: .* µs a dispatch$/);
    expect(check(judgement(judged({}, 103)), keptOf(good)).warnings).toEqual([]);
  });
});

describe('the table of kernels', () => {
  const [program] = judgement(judged({}), judged({}), judged({}, 50)).programs;

  it('has a row for each kernel at each shape, the slowest first, and sums up the rest', () => {
    const [head, first, rest] = programTable(program!, 1);
    expect(head).toMatch(/^op +variant +step +shape/);
    expect(first).toMatch(/^conv2d +tile64 +2\/2 +\[8,2,2,512\] → \[8,2,2,512\] +2 /);
    expect(first).toMatch(/ latency .* 24 +0 +0 +0 +16 +140 +8 +abc$/);
    expect(rest).toMatch(/^1 more +1 /);
  });

  it('adds up programs, and names dispatches that leave units idle', () => {
    expect(programTotals(program!)[0]).toMatch(/^net: modelled 0\.\d+ ms, roof 0\.00 ms .* 3 dispatches$/);
    expect(idleUnits(program!, NAVI31).join('\n')).toMatch(/8 groups/);
  });
});
