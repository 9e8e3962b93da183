import { describe, expect, test } from 'vitest';
import type { CollectedScores } from '../../src/compare/collect-scores.js';
import { compareVariants } from '../../src/compare/compare-variants.js';
import { comparisonPlot } from '../../src/compare/comparison-plot.js';
import { comparisonMarkdown, conclusions } from '../../src/compare/comparison-table.js';
import { Random } from '../../src/engine/random.js';
import { pairedBootstrapInterval } from '../../src/eval/metrics/bootstrap.js';

const CLASSES = ['common', 'rare'];

interface Skill {
  readonly name: string;
  /** How far positives lie above negatives, in deviations of the noise. */
  readonly skill: number;
}

/** Scores of variants on made-up images, whose quality varies a little from seed to seed. */
function scored(variants: readonly Skill[], { n = 240, seeds = 4, trial = 0 } = {}): CollectedScores {
  const random = new Random(trial, 'labels');
  const targets = Float32Array.from({ length: n * 2 }, (_, i) =>
    Number(random.uniform() < (i % 2 ? 0.1 : 0.4)),
  );
  const difficulty = Float32Array.from({ length: n * 2 }, () => random.normal());
  return {
    part: {
      name: 'test',
      n,
      images: Array.from({ length: n }, (_, i) => `${i}`),
      patients: Array.from({ length: n }, (_, i) => `p${i >> 1}`),
      scores: new Float32Array(n * 2),
      targets,
    },
    classNames: CLASSES,
    groups: ['head', 'tail'],
    simulated: true,
    missing: [],
    runs: variants.flatMap(({ name, skill }) =>
      Array.from({ length: seeds }, (_, seed) => {
        const own = new Random(trial, name, seed);
        const luck = own.normal(0, 0.1);
        return {
          variant: name,
          seed,
          scores: targets.map((y, i) => y * (skill + luck) + (difficulty[i] ?? 0) + own.normal(0, 0.5)),
        };
      }),
    ),
  };
}

const compare = (variants: readonly Skill[], options?: Parameters<typeof scored>[1], resamples = 400) =>
  compareVariants(
    scored(variants, options),
    variants.map(({ name }) => name),
    variants[0]?.name ?? '',
    resamples,
  );

describe('compareVariants', () => {
  test('calls what is plainly better or worse, and nothing else', () => {
    const comparison = compare([
      { name: 'base', skill: 1 },
      { name: 'same', skill: 1 },
      { name: 'better', skill: 3 },
      { name: 'worse', skill: -1 },
    ]);
    expect(comparison.tests).toBe(6);
    expect(comparison.variants.map(({ differences }) => differences.mAP?.verdict ?? null)).toEqual([
      null,
      'undecided',
      'better',
      'worse',
    ]);
    const [all] = conclusions(comparison);
    expect(all).toMatch(
      /^mAP: better than base: better \(.*corrected for 6 comparisons.*\)\. Worse: worse\.$/,
    );
  });

  test('rarely calls a winner among equals', () => {
    let called = 0;
    for (let trial = 0; trial < 40; trial++) {
      const equals = ['base', 'a', 'b', 'c'].map((name) => ({ name, skill: 1 }));
      const { variants } = compare(equals, { n: 120, trial }, 250);
      const verdicts = variants.flatMap(({ differences }) => [differences.mAP, differences.tail]);
      if (verdicts.some((each) => each !== null && each.verdict !== 'undecided')) called++;
    }
    // 5 % are allowed
    expect(called).toBeLessThanOrEqual(4);
  });

  test('raises false alarms at about the level it says, with luck of patients and of seeds', () => {
    const trials = 240;
    let called = 0;
    for (let trial = 0; trial < trials; trial++) {
      const equals = ['base', 'other'].map((name) => ({ name, skill: 1 }));
      const { variants } = compare(equals, { n: 80, seeds: 5, trial: 1000 + trial }, 100);
      const { mAP = null } = variants[1]?.differences ?? {};
      if (mAP !== null && Math.max(mAP.pPatients, mAP.pSeeds, mAP.pBoth) < 0.05) called++;
    }
    expect(called / trials).toBeLessThan(0.1);
    expect(called / trials).toBeGreaterThan(0.008);
  });

  test('refuses draws that are too few to support anything', () => {
    const three = ['base', 'a', 'b'].map((name) => ({ name, skill: 1 }));
    expect(() => compare(three, {}, 159)).toThrow(/159 bootstrap draws.*take 160/);
  });

  test('calls nobody with one seed', () => {
    const variants = [
      { name: 'base', skill: 0 },
      { name: 'better', skill: 4 },
    ];
    const comparison = compare(variants, { seeds: 1 });
    expect(comparison.variants[1]?.differences.mAP?.verdict).toBe('undecided');
    expect(conclusions(comparison)).toEqual([expect.stringContaining('No winner is called: with one seed')]);
  });

  test('its interval over patients is that of the paired bootstrap, where there is one run of each', () => {
    const variants = [
      { name: 'base', skill: 1 },
      { name: 'other', skill: 1.3 },
    ];
    const scores = scored(variants, { seeds: 1 });
    const { variants: compared } = compareVariants(scores, ['base', 'other'], 'base', 100);
    const [first, second] = scores.runs;
    const { n, patients, targets } = scores.part;
    const expected = pairedBootstrapInterval('mAP', first!.scores, second!.scores, targets, {
      n,
      classes: 2,
      classNames: CLASSES,
      patients,
      resamples: 100,
    });
    const difference = compared[1]?.differences.mAP;
    expect(difference?.estimate).toBeCloseTo(expected.estimate, 12);
    expect(difference?.overPatients[0]).toBeCloseTo(expected.low, 12);
    expect(difference?.overPatients[1]).toBeCloseTo(expected.high, 12);
  });

  test('its table and picture name every variant and what is missing', () => {
    const variants = [
      { name: 'base', skill: 1 },
      { name: 'better & bold', skill: 3 },
    ];
    const scores = { ...scored(variants), missing: ['base-s9'] };
    const comparison = compareVariants(
      scores,
      variants.map(({ name }) => name),
      'base',
      100,
    );
    const text = comparisonMarkdown(comparison, scores, { title: 'try', command: 'node compare' });
    expect(text).toMatch(/Simulated data/);
    expect(text).toMatch(/\| base +\| +4 \| 0\.\d{3} ± 0\.\d{3}/);
    expect(text).toMatch(/\*\*\+0\.\d{3} \[\+0\.\d{3}, \+0\.\d{3}\], p [<0-9. ]+\*\*/);
    expect(text).toMatch(/Not finished, and so not in the table: base-s9/);
    const svg = comparisonPlot(comparison, 'try', '');
    expect(svg).toContain('better &amp; bold');
    expect(svg).not.toContain('NaN');
  });
});
