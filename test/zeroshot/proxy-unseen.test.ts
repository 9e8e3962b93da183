import { beforeAll, describe, expect, it } from 'vitest';
import { Random } from '#src/engine/random.js';
import { averagePrecision } from '#src/eval/metrics/precision-recall.js';
import { defaultCandidates } from '#src/zeroshot/proxy-candidates.js';
import { proxyUnseenRows } from '#src/zeroshot/proxy-table.js';
import { type ProxyUnseenOptions, type ProxyUnseenResult, proxyUnseen } from '#src/zeroshot/proxy-unseen.js';
import { scoreZeroShot } from '#src/zeroshot/scoring/score-zeroshot.js';
import { ScoringError, UnseenLabelError } from '#src/zeroshot/scoring/scoring-error.js';
import { letters, sampleTexts, unitRows } from './embedding-samples.js';

const WIDTH = 16;
const N = 120;
const labelClasses = ['Normal', ...letters(5)];
const unseen = ['goiter', 'Bulla'];
const random = new Random(3, 'proxy');
const texts = sampleTexts(random, [...labelClasses, ...unseen], WIDTH);

/** Images whose likeness to the positive minus the negative prompts of a class says whether it is there. */
function sample() {
  const images = unitRows(random, N, WIDTH);
  const { scores, classes } = scoreZeroShot({ images, texts, rules: ['positive-minus-negative'] });
  const labels = Array.from({ length: N * labelClasses.length }, (_, at) => {
    const [i, c] = [Math.floor(at / labelClasses.length), at % labelClasses.length];
    const column = classes.indexOf(labelClasses[c]!);
    return Number(scores[i * classes.length + column]! + 0.03 * random.normal() > 0.25);
  });
  return { images, labels };
}

const { images, labels } = sample();
const options: ProxyUnseenOptions = {
  images,
  texts,
  labels,
  labelClasses,
  unseen,
  patients: Array.from({ length: N }, (_, i) => Math.floor(i / 2)),
  resamples: 60,
  candidates: ['mean', 'positive-minus-negative', 'mean-embedding', 'minus-neutral'].map((name) => ({
    name,
    rules: [name],
  })),
};

describe('proxyUnseen', () => {
  let result: ProxyUnseenResult;
  beforeAll(() => {
    result = proxyUnseen(options);
  });

  it('holds out each labelled class once, but not Normal', () => {
    expect([...result.classes].sort()).toEqual(letters(5));
    expect(result.folds.flat()).toEqual(result.classes);
    expect(result.folds).toHaveLength(5);
    expect(result.leftOut).toEqual([{ name: 'Normal', reason: 'never held out' }]);
  });

  it('judges by the AP of the held-out classes', () => {
    for (const { rules, ap, mAP } of result.candidates) {
      const expected = result.classes.map((name) => {
        const column = labelClasses.indexOf(name);
        const own = scoreZeroShot({ images, texts, rules, classes: [name] }).scores;
        return averagePrecision(
          own,
          Array.from(own, (_, i) => labels[i * labelClasses.length + column]!),
        );
      });
      expect(ap).toEqual(expected);
      expect(mAP.estimate).toBeCloseTo(expected.reduce((a, b) => a + b) / 5, 12);
      expect(mAP.low < mAP.estimate && mAP.estimate < mAP.high).toBe(true);
    }
  });

  it('finds the rule that made the labels, and shows the others to be worse', () => {
    expect([result.best, result.chosen]).toEqual(['positive-minus-negative', 'positive-minus-negative']);
    const [mean, best, embedding] = result.candidates;
    expect(mean!.againstBest!.high).toBeLessThan(0);
    expect(best!.againstBest).toBeNull();
    expect(best!.meanRank).toBeLessThan(mean!.meanRank);
    expect([embedding!.ap, embedding!.meanRank]).toEqual([mean!.ap, mean!.meanRank]);
    expect(proxyUnseen({ ...options, by: 'mean-rank' }).best).toBe('positive-minus-negative');
  });

  it('takes the plainer list where the better one is not shown to be better', () => {
    const close = proxyUnseen({
      ...options,
      candidates: [
        { name: 'two', rules: ['positive-minus-negative', 'sigmoid'] },
        { name: 'near', rules: [{ name: 'positive-minus-negative', weight: 0.98 }] },
        { name: 'one', rules: ['positive-minus-negative'] },
      ],
    });
    expect(close.chosen).toBe('near');
    expect(close.candidates.map(({ description }) => description)).toEqual([
      'positive-minus-negative → sigmoid',
      'positive-minus-negative (weight 0.98)',
      'positive-minus-negative',
    ]);
  });

  it('gives the same for the same seed, and other folds for another', () => {
    expect(proxyUnseen(options)).toEqual(result);
    expect(proxyUnseen({ ...options, seed: 8 }).folds).not.toEqual(result.folds);
  });

  it('hides the seen scores of the classes held out', () => {
    // a seen model that knows the labels: a rule that saw a held-out class's own column would be right in every case
    const seen = { classes: labelClasses, scores: labels };
    const transfer = [{ name: 'transfer', rules: [{ name: 'semantic-transfer', k: 1 }] }];
    const held = proxyUnseen({ ...options, seen, candidates: transfer, folds: 2 });
    for (const [c, name] of held.classes.entries()) {
      const fold = held.folds.find((names) => names.includes(name))!;
      const kept = labelClasses.filter((each) => !fold.includes(each));
      const { scores } = scoreZeroShot({
        images,
        texts,
        rules: transfer[0]!.rules,
        classes: [name],
        seen: {
          classes: kept,
          scores: Array.from({ length: N }, (_, i) =>
            kept.map((each) => labels[i * labelClasses.length + labelClasses.indexOf(each)]!),
          ).flat(),
        },
      });
      const own = Array.from(scores, (_, i) => labels[i * labelClasses.length + labelClasses.indexOf(name)]!);
      expect(held.candidates[0]!.ap[c]).toBe(averagePrecision(scores, own));
      expect(held.candidates[0]!.ap[c]).toBeLessThan(1);
    }
  });

  it('is a table', () => {
    const [header, first] = proxyUnseenRows(result);
    expect(header).toHaveLength(7);
    expect(first![1]).toMatch(/^0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]$/);
    expect(proxyUnseenRows(result).map((row) => row[6])).toEqual(['', '', 'best, chosen', '', '']);
  });

  it('runs all the default candidates', () => {
    const seen = { classes: labelClasses, scores: labels.map((label) => 0.1 + 0.8 * label) };
    const candidates = defaultCandidates(texts, labelClasses);
    expect(candidates[0]).toEqual({ name: 'mean', rules: ['mean'] });
    expect(new Set(candidates.map(({ name }) => name)).size).toBe(candidates.length);
    const { candidates: _, ...rest } = options;
    expect(proxyUnseen({ ...rest, seen, resamples: 3 }).candidates).toHaveLength(candidates.length);
  });
});

describe('labels of unseen classes', () => {
  it('are refused, however the name is written', () => {
    for (const name of ['goiter', 'Goiter', ' bulla ', 'BULLA']) {
      expect(() => proxyUnseen({ ...options, labelClasses: labelClasses.with(2, name) })).toThrow(
        UnseenLabelError,
      );
    }
    expect(() => proxyUnseen({ ...options, labelClasses: labelClasses.with(2, 'goiter') })).toThrow(
      'there are labels of goiter, which the prompts declare unseen',
    );
  });

  it('are refused as columns of a seen model, too', () => {
    const seen = { classes: ['A', 'Goiter'], scores: new Float32Array(2 * N) };
    expect(() => proxyUnseen({ ...options, seen })).toThrow(UnseenLabelError);
  });

  it('can only be refused where the unseen classes are named', () => {
    expect(() => proxyUnseen({ ...options, unseen: [] })).toThrow('unseen: name the classes');
    expect(() => proxyUnseen({ ...options, unseen: ['nothing like it'] })).toThrow(ScoringError);
  });
});

describe('what makes no sense is refused', () => {
  const refused = (more: Partial<ProxyUnseenOptions>, message: string) =>
    expect(() => proxyUnseen({ ...options, ...more })).toThrow(message);

  it('labels that do not fit, one fold, no candidates, equal names, unknown rules', () => {
    refused({ labels: labels.slice(1) }, '719 labels for 120 images × 6 classes');
    refused({ folds: 1 }, '1 folds: expected 2 or more');
    refused({ candidates: [] }, 'no candidate');
    refused({ candidates: [1, 2].map(() => ({ name: 'x', rules: [] })) }, 'two candidates are named "x"');
    refused(
      { candidates: [{ name: 'x', rules: ['mex'] }] },
      'candidate "x": there is no rule of scoring "mex"',
    );
  });

  it('fewer than two classes that can be held out', () => {
    const one = labels.map((label, at) => (at % 6 > 1 ? Number.NaN : label));
    refused({ labels: one }, '1 of 6 labelled classes can be held out, and two are needed');
    refused({ labels: one }, 'No positive label: B, C, D, E.');
    refused(
      { trained: ['A', 'B', 'C', 'D'] },
      'The model was trained with its labels: A, B, C, D. Train a model with',
    );
  });
});
