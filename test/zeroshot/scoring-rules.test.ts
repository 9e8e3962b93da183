import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Random } from '#src/engine/random.js';
import { averagePrecision } from '#src/eval/metrics/precision-recall.js';
import { rocAuc } from '#src/eval/metrics/roc.js';
import { parsePrompts } from '#src/zeroshot/prompts.js';
import { defineRule, type RuleChoice } from '#src/zeroshot/scoring/rule.js';
import { scoreZeroShot, type ZeroShotOptions } from '#src/zeroshot/scoring/score-zeroshot.js';
import { ScoringError } from '#src/zeroshot/scoring/scoring-error.js';
import {
  bindRules,
  describeRules,
  registeredScoringRules,
  registerScoringRule,
} from '#src/zeroshot/scoring/scoring-rules.js';
import { embedPrompts, type TextEmbeddings } from '#src/zeroshot/scoring/text-embeddings.js';
import { sampleTexts, unitRows } from './embedding-samples.js';

const WIDTH = 6;
const N = 40;
const names = ['Normal', 'A', 'B', 'C'];
const random = new Random(1, 'scoring');
const images = unitRows(random, N, WIDTH);
const texts = sampleTexts(random, names, WIDTH);
const seen = { classes: ['Normal', 'A'], scores: Array.from({ length: 2 * N }, () => random.uniform()) };

const score = (rules: readonly RuleChoice[], more: Partial<ZeroShotOptions> = {}) =>
  scoreZeroShot({ images, texts, seen, rules, ...more }).scores;
const rows = (values: Float32Array) =>
  Array.from({ length: values.length / WIDTH }, (_, i) => [...values.slice(i * WIDTH, (i + 1) * WIDTH)]);
const cos = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, x, i) => sum + x * b[i]!, 0) / Math.hypot(...a) / Math.hypot(...b);
const average = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const unit = (a: readonly number[]) => a.map((x) => x / Math.hypot(...a));
const meanOf = (points: readonly number[][]) =>
  points[0]!.map((_, d) => average(points.map((point) => point[d]!)));
const prompts = (name: string) => [...texts.classes.get(name)!.groups.values()].flatMap(rows);
const table = (entry: (image: number[], name: string, i: number) => number, of = rows(images)) =>
  of.flatMap((image, i) => names.map((name) => entry(image, name, i)));
const similar = (actual: Float64Array, expected: readonly number[]) => {
  expect(actual.length).toBe(expected.length);
  let furthest = 0;
  expected.forEach((value, i) => {
    furthest = Math.max(furthest, Math.abs(value - actual[i]!));
  });
  expect(furthest).toBeLessThan(1e-6);
};
const mean = (image: number[], name: string) => average(prompts(name).map((t) => cos(image, t)));
const lse = (values: number[], T: number) => T * Math.log(average(values.map((v) => Math.exp(v / T))));

describe('each rule is its formula', () => {
  it('mean, which is the default', () => {
    similar(score(['mean']), table(mean));
    similar(scoreZeroShot({ images, texts }).scores, table(mean));
  });

  it('mean-embedding, max, log-sum-exp', () => {
    similar(
      score(['mean-embedding']),
      table((f, c) => cos(f, meanOf(prompts(c).map(unit)))),
    );
    similar(
      score(['max']),
      table((f, c) => Math.max(...prompts(c).map((t) => cos(f, t)))),
    );
    similar(
      score([{ name: 'log-sum-exp', temperature: 0.1 }]),
      table((f, c) =>
        lse(
          prompts(c).map((t) => cos(f, t)),
          0.1,
        ),
      ),
    );
  });

  it('group-weights: the parameters, then the weights of the texts, then 1', () => {
    const expected = (clinical: number, appearance: number) =>
      table((f, c) => {
        const [one, other] = [...texts.classes.get(c)!.groups.values()].map((group) =>
          average(rows(group).map((t) => cos(f, t))),
        );
        return (clinical * one! + appearance * other!) / (clinical + appearance);
      });
    similar(score(['group-weights']), expected(1, 1));
    similar(score([{ name: 'group-weights', appearance: 3 }]), expected(1, 3));
    const weighted = { ...texts, groupWeights: { clinical: 0.5 } };
    similar(score(['group-weights'], { texts: weighted }), expected(0.5, 1));
  });

  it('positive-minus-negative and minus-neutral, with the pooling before them', () => {
    const negative = (f: number[], c: string) => rows(texts.classes.get(c)!.negative!).map((t) => cos(f, t));
    const neutral = (f: number[]) => rows(texts.neutral!).map((t) => cos(f, t));
    similar(
      score(['positive-minus-negative']),
      table((f, c) => mean(f, c) - average(negative(f, c))),
    );
    similar(
      score(['max', { name: 'positive-minus-negative', weight: 0.5 }]),
      table((f, c) => Math.max(...prompts(c).map((t) => cos(f, t))) - 0.5 * Math.max(...negative(f, c))),
    );
    similar(
      score(['minus-neutral']),
      table((f, c) => mean(f, c) - average(neutral(f))),
    );
    similar(
      score([{ name: 'minus-neutral', against: 'Normal' }]),
      table((f, c) => mean(f, c) - mean(f, 'Normal')),
    );
  });

  it('centred: by the images at hand or by a bank, then other rules', () => {
    const centre = meanOf(rows(images));
    const moved = rows(images).map((f) => unit(f.map((x, d) => x - centre[d]!)));
    similar(score(['centred']), table(mean, moved));
    const bank = unitRows(random, 5, WIDTH);
    const half = rows(images).map((f) => f.map((x, d) => x - 0.5 * meanOf(rows(bank))[d]!));
    similar(
      score([{ name: 'centred', strength: 0.5 }, 'positive-minus-negative'], { bank }),
      table(
        (f, c) => mean(f, c) - average(rows(texts.classes.get(c)!.negative!).map((t) => cos(f, t))),
        half,
      ),
    );
  });

  it('softmax over all classes with prompts, whichever are wanted', () => {
    const e = (f: number[], c: string) => Math.exp(mean(f, c) / 0.2);
    const expected = table((f, c) => e(f, c) / names.reduce((sum, name) => sum + e(f, name), 0));
    const rule = { name: 'softmax', temperature: 0.2 };
    similar(score([rule]), expected);
    const wanted = score([rule], { classes: ['C', 'A'] });
    similar(
      wanted,
      rows(images).flatMap((_, i) => [expected[i * 4 + 3]!, expected[i * 4 + 1]!]),
    );
  });

  it('normal-gating leaves the Normal column', () => {
    const sigmoid = (f: number[], c: string) => 1 / (1 + Math.exp(-5 * mean(f, c)));
    similar(
      score(['sigmoid', { name: 'normal-gating', alpha: 2 }]),
      table((f, c, i) => sigmoid(f, c) * (c === 'Normal' ? 1 : (1 - seen.scores[2 * i]!) ** 2)),
    );
  });

  it('semantic-transfer: classes of the seen model keep their scores', () => {
    const three = {
      classes: ['Normal', 'A', 'B'],
      scores: Array.from({ length: 3 * N }, () => random.uniform()),
    };
    const direction = (c: string) => meanOf(prompts(c).map(unit));
    const near = (c: string) => Math.exp(cos(direction('C'), direction(c)) / 0.1);
    const rule = { name: 'semantic-transfer', temperature: 0.1, share: 0.25 };
    similar(
      score([rule], { seen: three }),
      table((f, c, i) => {
        if (c !== 'C') return mean(f, c);
        const [a, b] = [three.scores[3 * i + 1]!, three.scores[3 * i + 2]!];
        return 0.75 * mean(f, c) + (0.25 * (near('A') * a + near('B') * b)) / (near('A') + near('B'));
      }),
    );
    const [nearest, column] = near('A') > near('B') ? ['A', 1] : ['B', 2];
    const one = score([{ name: 'semantic-transfer', k: 1 }], { seen: three, classes: ['C'] });
    expect([nearest, ...one]).toEqual([
      nearest,
      ...Array.from({ length: N }, (_, i) => three.scores[3 * i + column]!),
    ]);
  });

  it('sigmoid, temperature, z-score', () => {
    similar(
      score(['sigmoid']),
      table((f, c) => 1 / (1 + Math.exp(-5 * mean(f, c)))),
    );
    similar(
      score([{ name: 'temperature', temperature: 0.5 }]),
      table((f, c) => 2 * mean(f, c)),
    );
    const z = score(['z-score'], { classes: ['B'] });
    expect(average([...z])).toBeCloseTo(0, 12);
    expect(average([...z].map((x) => x * x))).toBeCloseTo(1, 12);
  });

  it('by hand: two prompts on the axes, an image at 3-4-5', () => {
    const axes: TextEmbeddings = {
      width: 2,
      classes: new Map([['A', { groups: new Map([['g', Float32Array.of(1, 0, 0, 1)]]) }]]),
    };
    const of = (name: string) => scoreZeroShot({ images: [0.6, 0.8], texts: axes, rules: [name] }).scores[0];
    expect([of('mean'), of('mean-embedding'), of('max')]).toEqual([
      expect.closeTo(0.7, 12),
      expect.closeTo(1.4 / Math.SQRT2, 12),
      expect.closeTo(0.8, 12),
    ]);
  });
});

describe('rankings', () => {
  const labels = Array.from({ length: N }, () => Number(random.chance(0.4)));
  const metricsOf = (rules: readonly RuleChoice[]) =>
    names.slice(1).map((name) => {
      const column = score(rules, { classes: [name] });
      return [averagePrecision(column, labels), rocAuc(column, labels)];
    });
  // what stands before a rule that asks for probabilities
  const ahead = (name: string) => (name === 'normal-gating' ? ['sigmoid'] : []);

  for (const { name, canChangeRanking } of registeredScoringRules()) {
    it(`${name} ${canChangeRanking ? 'can' : 'cannot'} change AP and AUROC within a class`, () => {
      const own = metricsOf([...ahead(name), name]);
      if (canChangeRanking) expect(own).not.toEqual(metricsOf(['mean']));
      else expect(own).toEqual(metricsOf(['mean']));
    });
  }

  it('log-sum-exp lies between mean and max, near either at its ends', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 50, noNaN: true }), (temperature) => {
        const [low, middle, high] = [
          score(['mean']),
          score([{ name: 'log-sum-exp', temperature }]),
          score(['max']),
        ];
        return middle.every((value, i) => low[i]! - 1e-9 <= value && value <= high[i]! + 1e-9);
      }),
      { numRuns: 20 },
    );
    const [cold, nearest] = [score([{ name: 'log-sum-exp', temperature: 1e-4 }]), score(['max'])];
    // by the five prompts of a class, T·log 5 at most
    expect(cold.every((value, i) => nearest[i]! - value < 1e-4 * Math.log(5) + 1e-12)).toBe(true);
    expect(score([{ name: 'log-sum-exp', temperature: 100 }])[0]).toBeCloseTo(score(['mean'])[0]!, 2);
  });

  it('lengths of embeddings do not count, nor does the order of prompts', () => {
    const longer = images.map((value, i) => value * 2 ** (Math.floor(i / WIDTH) % 9));
    const turned: TextEmbeddings = {
      ...texts,
      classes: new Map(
        [...texts.classes].map(([name, own]) => [
          name,
          {
            ...own,
            groups: new Map(
              [...own.groups].reverse().map(([g, v]) => [g, Float32Array.from(rows(v).reverse().flat())]),
            ),
          },
        ]),
      ),
    };
    for (const { name } of registeredScoringRules()) {
      const rules = [...ahead(name), name];
      similar(score(rules, { images: longer }), [...score(rules)]);
      similar(score(rules, { texts: turned }), [...score(rules)]);
    }
  });

  it('softmax adds up to 1 within an image', () => {
    const shares = score(['softmax']);
    for (let i = 0; i < N; i++) {
      expect(shares.slice(4 * i, 4 * i + 4).reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    }
  });
});

describe('lists of rules', () => {
  const refusal = (rules: readonly RuleChoice[], more: Partial<ZeroShotOptions> = {}) => {
    try {
      score(rules, more);
    } catch (error) {
      expect(error).toBeInstanceOf(ScoringError);
      return (error as Error).message;
    }
    throw new Error('nothing was refused');
  };

  it('describes them', () => {
    expect(describeRules([])).toBe('mean');
    expect(describeRules(bindRules(['centred', { name: 'log-sum-exp', temperature: 0.02 }]))).toBe(
      'centred → log-sum-exp (temperature 0.02)',
    );
  });

  it('refuses unknown rules, parameters, and orders without sense', () => {
    expect(refusal(['maxx'])).toContain('did you mean "max"?');
    expect(refusal([{ name: 'softmax', temperature: -1 }])).toContain('rule "softmax": temperature');
    expect(refusal([{ name: 'mean', k: 1 }])).toContain('rule "mean"');
    expect(refusal(['mean', 'max'])).toBe('mean and max both pool prompts: a list has one of these.');
    expect(refusal(['softmax', 'max'])).toContain('max (pooling) stands after softmax (scores)');
  });

  it('refuses embeddings of another width, NaN, and vectors without a direction', () => {
    expect(refusal(['mean'], { images: new Float32Array(7) })).toContain(
      'image: 7 values are no rows of 6, which is the width of the text embeddings',
    );
    expect(refusal(['mean'], { imageWidth: 12 })).toContain(
      'embeddings of images have 12 values, and those of texts 6',
    );
    expect(refusal(['mean'], { images: images.with(8, Number.NaN) })).toBe('image 1: holds NaN or infinity.');
    expect(refusal(['mean'], { images: new Float32Array(6) })).toContain('image 0: has length 0');
    expect(refusal(['centred'], { images: images.slice(0, WIDTH) })).toContain('give a bank of more images');
    expect(refusal(['mean'], { bank: [] })).toBe('the bank of images is empty.');
  });

  it('refuses empty groups, missing prompts, and unknown classes', () => {
    const withClass = (own: object) => ({
      texts: {
        ...texts,
        neutral: undefined,
        classes: new Map([['A', { groups: texts.classes.get('A')!.groups, ...own }]]),
      },
    });
    expect(refusal(['mean'], withClass({ groups: new Map([['clinical', new Float32Array()]]) }))).toBe(
      'class "A", group clinical: has no prompt; leave it out, or write one.',
    );
    expect(refusal(['mean'], withClass({ groups: new Map() }))).toBe('class "A": has no group of prompts.');
    expect(refusal(['positive-minus-negative'], withClass({}))).toContain(
      'class "A" has no negative prompts',
    );
    expect(refusal(['minus-neutral'], withClass({}))).toContain('class "A" has no neutral prompts');
    expect(refusal(['mean'], { classes: ['Effusion'] })).toBe(
      'there is no class with prompts "Effusion"; there are Normal, A, B, C.',
    );
    expect(refusal([{ name: 'group-weights', clinical: 0, appearance: 0 }])).toContain('have weight 0');
    const opposite = withClass({
      groups: new Map([['g', Float32Array.from([1, -1].flatMap((x) => [x, 0, 0, 0, 0, 0]))]]),
    });
    expect(refusal(['mean-embedding'], opposite)).toContain(
      'class "A": the prompt embeddings cancel each other',
    );
  });

  it('refuses seen scores that are missing, too few, or no probabilities, and gating of negative scores', () => {
    expect(refusal(['semantic-transfer'], { seen: undefined })).toContain('needs the scores of a model');
    expect(refusal(['semantic-transfer'], { seen: { classes: ['A'], scores: [1] } })).toContain(
      'gave 1 scores',
    );
    expect(
      refusal(['sigmoid', 'normal-gating'], { seen: { ...seen, scores: seen.scores.with(0, 2) } }),
    ).toContain('class "Normal" for image 0 is 2, which is no probability');
    expect(refusal(['sigmoid', { name: 'normal-gating', normal: 'B' }])).toContain('has no class "B"');
    expect(refusal(['normal-gating'])).toContain('put sigmoid or softmax before it');
    expect(
      refusal(['semantic-transfer'], { seen: { classes: ['Z'], scores: new Float32Array(N) } }),
    ).toContain('no prompts for class "Z"');
  });

  it("takes a rule of one's own, once", () => {
    const negated = defineRule({
      name: 'negated',
      summary: 'for this test',
      source: 'none',
      kind: 'scores',
      canChangeRanking: true,
      parameters: z.strictObject({}),
      step: () => ({
        kind: 'scores',
        change(scores) {
          scores.forEach((value, i) => {
            scores[i] = -value;
          });
        },
      }),
    });
    registerScoringRule(negated);
    expect(score(['negated'])).toEqual(score(['mean']).map((value) => -value));
    expect(() => registerScoringRule(negated)).toThrow(ScoringError);
  });
});

describe('embedPrompts', () => {
  const yaml = `
neutral: [a radiograph]
negative: ["no {}"]
groupWeights: {clinical: 2}
findings:
  A: {clinical: [one, two], location: [three], neutral: [a radiograph]}
  B: {clinical: [four]}
`;

  it('embeds each text once and puts it where the prompts have it', async () => {
    const asked: string[][] = [];
    const embedded = await embedPrompts(await parsePrompts(yaml, 'here'), 2, async (list) => {
      asked.push([...list]);
      return Float32Array.from(list.flatMap((text) => [text.length, text.charCodeAt(0)]));
    });
    expect(asked).toEqual([['one', 'two', 'three', 'no A', 'a radiograph', 'four', 'no B']]);
    const a = embedded.classes.get('A')!;
    expect([...a.groups].map(([group, values]) => [group, ...values])).toEqual([
      ['clinical', 3, 111, 3, 116],
      ['location', 5, 116],
    ]);
    expect([...a.negative!, ...a.neutral!, ...embedded.neutral!]).toEqual([4, 110, 12, 97, 12, 97]);
    expect(embedded.groupWeights!.clinical).toBe(2);
  });

  it('refuses an encoder of another width', async () => {
    const set = await parsePrompts(yaml, 'here');
    await expect(embedPrompts(set, 2, async () => new Float32Array(18))).rejects.toThrow(
      '7 prompts gave 18 numbers: expected 7 × 2.',
    );
  });
});
