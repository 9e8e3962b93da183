import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/engine/random.js';
import {
  type BootstrapOptions,
  bootstrapInterval,
  pairedBootstrapInterval,
} from '../../../src/eval/metrics/bootstrap.js';
import { MetricError } from '../../../src/eval/metrics/metric-error.js';
import { rocAuc } from '../../../src/eval/metrics/roc.js';
import { summarize } from '../../../src/eval/metrics/summarize.js';

const classNames = ['a', 'b', 'c'];

/** Each patient has `images` images that share their targets and most of their scores. */
function cohort(patients: number, images: number, seed = 1, signal = 0.3) {
  const random = new Random(seed, 'bootstrap test');
  const scores: number[] = [];
  const targets: number[] = [];
  const owner: string[] = [];
  for (let p = 0; p < patients; p++) {
    const y = classNames.map(() => (random.chance(0.3) ? 1 : 0));
    const s = y.map((t) => random.uniform(0, 0.6) + signal * t);
    for (let i = 0; i < images; i++) {
      owner.push(`patient ${p}`);
      targets.push(...y);
      scores.push(...s.map((score) => score + random.uniform(0, 0.01)));
    }
  }
  const options: BootstrapOptions = { n: patients * images, classes: 3, classNames, resamples: 200 };
  return { scores, targets, owner, options };
}

const width = ({ low, high }: { low: number; high: number }) => high - low;

describe('bootstrapInterval', () => {
  const { scores, targets, owner, options } = cohort(60, 4);

  it.each(['mAP', 'auroc', 'f1', 'bestF1', 'ece'] as const)('encloses the %s of summarize', (metric) => {
    const interval = bootstrapInterval(metric, scores, targets, { ...options, patients: owner });
    expect(interval.estimate).toBe(summarize(scores, targets, options).macro[metric]);
    expect(interval.low).toBeLessThan(interval.high);
    expect(interval).toMatchObject({ level: 0.95, resamples: 200 });
  });

  it('is the same for the same seed and another for another', () => {
    const run = (seed: number) =>
      bootstrapInterval('mAP', scores, targets, { ...options, patients: owner, seed });
    expect(run(5)).toEqual(run(5));
    expect(run(6)).not.toEqual(run(5));
  });

  it('is wider over patients than over their images, which repeat each other', () => {
    const overImages = bootstrapInterval('auroc', scores, targets, options);
    const overPatients = bootstrapInterval('auroc', scores, targets, { ...options, patients: owner });
    expect(width(overPatients)).toBeGreaterThan(1.4 * width(overImages));
  });

  it('takes images without a known patient as patients of their own', () => {
    const unnamed = bootstrapInterval('auroc', scores, targets, {
      ...options,
      patients: owner.map(() => null),
    });
    expect(unnamed).toEqual(bootstrapInterval('auroc', scores, targets, options));
  });

  it('covers the true value about as often as it says', () => {
    // AUROC of U(0, 0.6) + 0.3 against U(0, 0.6): 1 − ½ (0.3 / 0.6)².
    const truth = 1 - 0.5 * 0.25;
    let covered = 0;
    for (let seed = 0; seed < 100; seed++) {
      const sample = cohort(120, 1, seed + 100);
      const { low, high } = bootstrapInterval('auroc', sample.scores, sample.targets, {
        ...sample.options,
        level: 0.9,
        only: [0],
        resamples: 150,
      });
      if (low <= truth && truth <= high) covered++;
    }
    expect(covered).toBeGreaterThan(78);
    expect(covered).toBeLessThan(99);
  });

  it('averages over the classes that are asked for', () => {
    const one = bootstrapInterval('auroc', scores, targets, { ...options, only: [1] });
    const column = (values: number[]) => values.filter((_, i) => i % 3 === 1);
    expect(one.estimate).toBe(rocAuc(column(scores), column(targets)));
  });

  it('counts the draws that had an answer', () => {
    const tiny = { n: 4, classes: 1, classNames: ['a'], resamples: 300 };
    const { resamples } = bootstrapInterval('auroc', [0.1, 0.7, 0.2, 0.9], [0, 0, 1, 1], tiny);
    // A draw of 4 has both outcomes with probability 1 − 2 (1/2)⁴ = 7/8.
    expect(resamples).toBeGreaterThan(240);
    expect(resamples).toBeLessThan(285);
    const none = bootstrapInterval('auroc', [0.1, 0.7, 0.2, 0.9], [0, 0, 0, 0], tiny);
    expect(none).toMatchObject({ estimate: Number.NaN, low: Number.NaN, high: Number.NaN, resamples: 0 });
    expect(none.whyMissing).toBe('no positive target');
  });

  it('refuses impossible options', () => {
    const call = (extra: Partial<BootstrapOptions>) => () =>
      bootstrapInterval('mAP', scores, targets, { ...options, ...extra });
    expect(call({ resamples: 0 })).toThrow(MetricError);
    expect(call({ level: 1 })).toThrow(MetricError);
    expect(call({ patients: ['one'] })).toThrow(/1 patients for 240 images/);
    expect(call({ only: [3] })).toThrow(/class index 3/);
  });
});

describe('pairedBootstrapInterval', () => {
  const { scores, targets, owner, options } = cohort(60, 2);
  const paired = { ...options, patients: owner };

  it('finds no difference between a model and itself', () => {
    const same = pairedBootstrapInterval('mAP', scores, scores, targets, paired);
    expect(same).toMatchObject({ estimate: 0, low: 0, high: 0 });
  });

  it('is the second minus the first, and changes sign with their order', () => {
    const noise = new Random(9, 'worse model');
    const worse = scores.map((s) => s + noise.uniform(0, 1));
    const gain = pairedBootstrapInterval('mAP', worse, scores, targets, paired);
    const loss = pairedBootstrapInterval('mAP', scores, worse, targets, paired);
    expect(gain.low).toBeGreaterThan(0);
    expect(loss.estimate).toBe(-gain.estimate);
    expect(loss.high).toBeCloseTo(-gain.low, 12);
  });

  it('is narrower than what the two intervals apart suggest', () => {
    const noise = new Random(10, 'similar model');
    const similar = scores.map((s) => s + noise.uniform(0, 0.05));
    const difference = pairedBootstrapInterval('auroc', scores, similar, targets, paired);
    expect(width(difference)).toBeLessThan(0.5 * width(bootstrapInterval('auroc', scores, targets, paired)));
  });
});
