import { describe, expect, test } from 'vitest';
import { BEGINNING } from '../../src/losses/define/reference-loss.js';
import { findLoss, registeredLosses } from '../../src/losses/registry.js';

/** What mixup and CutMix need of a loss: labels between 0 and 1. */

const bound = registeredLosses().map((loss) => loss.bind({}));

test('losses of pairs and whole batches, and the one that corrects labels, take hard labels only', () => {
  const hard = bound.filter(({ hardLabels }) => hardLabels).map(({ name }) => name);
  expect(hard.sort()).toEqual(['auc-margin', 'smooth-ap', 'splc', 'two-way']);
  const sum = (...names: string[]) => findLoss('sum').bind({ sum: names.map((name) => ({ name })) });
  expect(sum('bce', 'focal').hardLabels).toBe(false);
  expect(sum('bce', 'smooth-ap').hardLabels).toBe(true);
  expect(sum('bce', 'splc').hardLabels).toBe(true);
});

describe('the others are linear in each label', () => {
  const statistics = { classes: 3, classCounts: [50, 20, 3], samples: 100 };
  const soft = bound.flatMap((loss) => (loss.kind === 'entries' && !loss.hardLabels ? [loss] : []));

  test.each(soft)('$name', (loss) => {
    const constants = loss.classConstants(statistics).map((row) => row[1]!);
    const scheduled = loss.schedule(BEGINNING);
    // where entries depend on a sum over their image, that sum is of the mixed image, and linear itself
    const given = { constants, scheduled, row: 0.04 };
    for (const x of [-6, -0.3, 0, 1.7, 5]) {
      const [absent, present] = [loss.reference(x, 0, given), loss.reference(x, 1, given)];
      for (const y of [0.1, 0.5, 0.8]) {
        const mixed = loss.reference(x, y, given);
        expect(mixed.value).toBeCloseTo(y * present.value + (1 - y) * absent.value, 10);
        expect(mixed.slope).toBeCloseTo(y * present.slope + (1 - y) * absent.slope, 10);
      }
      const [none, all] = [loss.rowTerm(0, constants), loss.rowTerm(1, constants)];
      expect(loss.rowTerm(0.3, constants)).toBeCloseTo(0.3 * all + 0.7 * none, 12);
    }
  });
});
