import { describe, expect, test } from 'vitest';
import { Random } from '../../../src/engine/random.js';
import { bootstrapInterval } from '../../../src/eval/metrics/bootstrap.js';
import { compareScores } from '../../../src/eval/metrics/compare-scores.js';
import { delongDifference, delongInterval } from '../../../src/eval/metrics/delong.js';
import { measureScores } from '../../../src/eval/metrics/measure-scores.js';
import { MetricError } from '../../../src/eval/metrics/metric-error.js';
import { holm } from '../../../src/eval/metrics/multiple-tests.js';
import { rocAuc } from '../../../src/eval/metrics/roc.js';
import { summarize } from '../../../src/eval/metrics/summarize.js';

const POSITIVES = [0.4, 0.2, 0.1, 0];

/** Two images of each patient, whose scores tell more of women than of men; the last class is nowhere positive. */
function cohort(patients = 120, seed = 1) {
  const random = new Random(seed, 'measure test');
  const [n, classes] = [2 * patients, POSITIVES.length];
  const scores = new Float64Array(n * classes);
  const targets = new Float64Array(n * classes);
  const sex = Array.from({ length: n }, (_, i) => ((i >> 1) % 3 === 0 ? 'male' : 'female'));
  for (let i = 0; i < n; i++) {
    for (const [c, share] of POSITIVES.entries()) {
      const y = random.chance(share) ? 1 : 0;
      targets[i * classes + c] = random.chance(0.05) ? Number.NaN : y;
      scores[i * classes + c] = random.uniform(0, 0.6) + (sex[i] === 'male' ? 0.05 : 0.35) * y;
    }
  }
  const shape = { n, classes, classNames: ['a', 'b', 'c', 'none'] };
  return { scores, targets, sex, shape, patients: Array.from({ length: n }, (_, i) => `p${i >> 1}`) };
}

const column = (matrix: Float64Array, c: number) => matrix.filter((_, i) => i % POSITIVES.length === c);

describe('measureScores', () => {
  const { scores, targets, sex, shape, patients } = cohort();
  const options = { ...shape, patients, resamples: 200 };
  const groups = ['head', 'head', 'medium', 'tail'];
  const measured = measureScores(scores, targets, { ...options, groups });

  test('has the values of summarize, and counts', () => {
    const summary = summarize(scores, targets, shape);
    for (const [c, row] of measured.perClass.entries()) {
      const { name, known, positives, prevalence, ap, auroc, f1, bestF1, ece } = summary.perClass[c]!;
      expect(row).toMatchObject({ name, known, positives, prevalence, group: groups[c] });
      expect([row.ap, row.auroc, row.f1, row.bestF1, row.ece].map(({ estimate }) => estimate)).toEqual([
        ap,
        auroc,
        f1,
        bestF1,
        ece,
      ]);
    }
    expect(measured.macro.ap.estimate).toBe(summary.macro.mAP);
    expect(measured).toMatchObject({ images: 240, patients: 120, drawn: 'patients', resamples: 200 });
  });

  test('has the bootstrap’s interval of a mean, of all classes and within groups', () => {
    const expected = (only?: number[]) =>
      bootstrapInterval('mAP', scores, targets, { ...options, ...(only && { only }) });
    expect(measured.macro.ap).toEqual(expected());
    expect(measured.groups.head?.ap).toEqual(expected([0, 1]));
    expect(Object.keys(measured.groups)).toEqual(['head', 'medium', 'tail']);
    expect(measured.groups.head?.classes).toEqual(['a', 'b']);
  });

  test('has DeLong’s interval of a class’s AUROC', () => {
    const expected = delongInterval(column(scores, 1), column(targets, 1), { patients });
    expect(measured.perClass[1]?.auroc).toEqual(expected);
    expect(measured.macro.auroc.method).toBe('BCa');
  });

  test('gives an interval or a reason with every number', () => {
    const all = [...measured.perClass, measured.macro, measured.micro, measured.weighted];
    for (const { ap, auroc, f1, bestF1, sensitivity, brier, ece, eceMass } of all) {
      for (const each of [ap, auroc, f1, bestF1, ...sensitivity, brier, ece, eceMass]) {
        if (each.whyMissing === null) {
          expect(each.low).toBeLessThan(each.estimate);
          expect(each.estimate).toBeLessThan(each.high);
        } else expect([each.low, each.whyMissing.length > 0]).toEqual([Number.NaN, true]);
      }
    }
    expect(measured.perClass[3]?.ap.whyMissing).toBe('no positive target');
    expect(measured.perClass[3]?.brier.whyMissing).toBe(null);
    expect(measured.macro.fittedF1).toBe(null);
    expect(measured.specificities).toEqual([0.9, 0.95]);
  });

  test('takes thresholds and specificities', () => {
    const given = measureScores(scores, targets, {
      ...options,
      thresholds: [0.3, 0.5, 0.4, 0.5],
      specificities: [0.8],
      resamples: 20,
    });
    const summary = summarize(scores, targets, { ...shape, thresholds: [0.3, 0.5, 0.4, 0.5] });
    expect(given.macro.fittedF1?.estimate).toBeCloseTo(summary.macro.f1, 12);
    expect(given.macro.f1).not.toEqual(given.macro.fittedF1);
    expect(given.macro.sensitivity).toHaveLength(1);
  });

  test('logits have no Brier score, and say so', () => {
    const logits = measureScores(
      scores.map((score) => 10 * score - 3),
      targets,
      { ...options, resamples: 20 },
    );
    expect(logits.macro.brier).toMatchObject({ estimate: Number.NaN, whyMissing: 'scores outside [0, 1]' });
    expect(logits.macro.ap.estimate).toBeCloseTo(measured.macro.ap.estimate, 12);
  });

  test('measures subgroups and finds the gap between them', () => {
    const view = sex.map((_, i) => (i < 4 ? 'LATERAL' : i < 20 ? null : 'PA'));
    const subgroups = [
      { name: 'sex', values: sex },
      { name: 'view', values: view },
    ];
    const [bySex, byView] = measureScores(scores, targets, { ...options, subgroups }).subgroups;
    const [women, men] = bySex!.subgroups;
    expect([women, men].map((each) => [each!.value, each!.images, each!.patients])).toEqual([
      ['female', 160, 80],
      ['male', 80, 40],
    ]);
    const own = (value: string, c: number) => {
      const kept = (matrix: Float64Array) => column(matrix, c).filter((_, i) => sex[i] === value);
      return rocAuc(kept(scores), kept(targets));
    };
    expect(women!.measures!.perClass[0]!.auroc.estimate).toBeCloseTo(own('female', 0), 12);
    expect(women!.gap).toBe(null);
    const gap = men!.gap!;
    expect(gap).toMatchObject({ against: 'female', classes: 3 });
    const differences = [0, 1, 2].map((c) => own('male', c) - own('female', c));
    expect(gap.macro.auroc.estimate).toBeCloseTo(
      (differences[0]! + differences[1]! + differences[2]!) / 3,
      12,
    );
    // what the scores were made for
    expect(gap.macro.auroc.high).toBeLessThan(0);
    expect(byView).toMatchObject({ name: 'view', unknown: 16 });
    expect(byView!.subgroups[1]).toMatchObject({
      value: 'LATERAL',
      whyMissing: 'only 2 patients, fewer than 20',
      measures: null,
      gap: null,
    });
  });

  test('refuses lists that do not fit', () => {
    const call = (extra: object) => () => measureScores(scores, targets, { ...options, ...extra });
    for (const [extra, message] of [
      [{ groups: ['a'] }, /1 groups for 4 classes/],
      [{ thresholds: [0.5] }, /1 thresholds for 4 classes/],
      [{ subgroups: [{ name: 'sex', values: ['x'] }] }, /1 values of "sex" for 240 images/],
      [{ specificities: [1.5] }, /a specificity of 1.5/],
    ] as const) {
      expect(call(extra)).toThrow(MetricError);
      expect(call(extra)).toThrow(message);
    }
  });
});

describe('compareScores', () => {
  const { scores, targets, shape, patients } = cohort();
  const noise = new Random(5, 'worse');
  const worse = scores.map((score) => 0.8 * score + noise.uniform(0, 0.2));
  const compared = compareScores(worse, scores, targets, { ...shape, patients, resamples: 300 });

  test('is the second minus the first, with DeLong’s test of a class’s AUROC', () => {
    const { interval, p } = delongDifference(column(worse, 0), column(scores, 0), column(targets, 0), {
      patients,
    });
    const { first, second, difference, p: own } = compared.perClass[0]!.auroc;
    expect(second - first).toBe(difference.estimate);
    expect([difference, own]).toEqual([interval, p]);
    expect(compared.macro.ap.difference.low).toBeGreaterThan(0);
    expect(compared.macro.ap).toMatchObject({
      p: compared.macro.ap.corrected,
      difference: { method: 'percentile' },
    });
  });

  test('corrects p over the classes of a metric', () => {
    const column = compared.perClass.map(({ ap }) => ap.p);
    expect(compared.perClass.map(({ ap }) => ap.corrected)).toEqual(holm(column));
    expect(compared.perClass[3]!.ap).toMatchObject({
      p: Number.NaN,
      difference: { whyMissing: 'no positive target' },
    });
  });

  test('draws often enough for as many classes as there are', () => {
    expect(
      compareScores([0.1, 0.4, 0.3], [0.2, 0.3, 0.4], [0, 1, 0], { n: 3, classes: 1, classNames: ['a'] }),
    ).toMatchObject({ resamples: 1000, drawn: 'images' });
    const classes = 20;
    const many = Float64Array.from({ length: 4 * classes }, (_, i) => (i % 7) / 7);
    const shape = { n: 4, classes, classNames: Array.from({ length: classes }, (_, c) => `${c}`) };
    expect(
      compareScores(
        many,
        many,
        many.map((score) => Number(score > 0.5)),
        shape,
      ).resamples,
    ).toBe(1600);
  });
});
