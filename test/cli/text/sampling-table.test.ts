import { expect, test } from 'vitest';
import { formatSampling } from '../../../src/cli/text/sampling-table.js';
import { sampledFrequencies } from '../../../src/data/sampling/sampled-frequencies.js';
import { createSampler, samplerSchema } from '../../../src/data/sampling/sampler-choice.js';

const samples = {
  length: 1000,
  classes: ['Effusion', 'Nodule', 'Hernia', 'Goitre'],
  labels: (i: number) => [i < 300 ? 1 : 0, i % 20 === 0 ? 1 : 0, i === 999 ? 1 : 0, 0],
};

function table(choice: object): string[] {
  const parsed = samplerSchema.parse(choice);
  return formatSampling(parsed, sampledFrequencies(samples, createSampler(parsed, samples, 0)));
}

test('the length of an epoch, the groups before and after, and the rarest classes', () => {
  // classes of 300, 50 and 1, and 665 images without any: a quarter of the visits each
  expect(table({ name: 'class-aware' })).toEqual([
    'sampler    class-aware (epochFactor 1, withoutPositives class): 1,000 visits an epoch, 1.00 × the 1,000 images, one at most 250 times',
    '           share of images with a finding → share of an epoch’s visits:',
    '             head, mean of 1                30.0 % →   32.5 %    × 1.08',
    '             medium, mean of 1              5.00 % →   26.3 %    × 5.25',
    '             tail, mean of 1                0.10 % →   25.0 %  × 250.00',
    '             Hernia                         0.10 % →   25.0 %  × 250.00  (1 image)',
    '             Nodule                         5.00 % →   26.3 %    × 5.25  (50 images)',
    '             Effusion                       30.0 % →   32.5 %    × 1.08  (300 images)',
  ]);
});

test('shuffled has nothing to compare', () => {
  expect(table({})).toEqual(['sampler    shuffled: 1,000 visits an epoch, each once']);
});
