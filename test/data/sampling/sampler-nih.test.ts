import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import type { LabelledSamples } from '../../../src/data/sampling/expected-visits.js';
import { sampledFrequencies } from '../../../src/data/sampling/sampled-frequencies.js';
import { createSampler, samplerSchema } from '../../../src/data/sampling/sampler-choice.js';
import { readTable } from '../../../src/data/tables/table.js';
import { missingSharedData, sharedData } from '../shared-data.js';

/**
 * The samplers on the labels of NIH ChestX-ray14 (112,120 images, 14 findings, more than half without any): what an
 * epoch really holds, counted from its order, against the definitions worked out here from the file's own columns.
 */

const file = 'nih112k-labels.csv.gz';

describe.skipIf(missingSharedData(file))(`an epoch over ${file}`, () => {
  let samples: LabelledSamples;
  /** Of each image, the numbers of its findings, read without tailray. */
  let findings: number[][];
  let counts: number[];
  const K = 14;

  beforeAll(async () => {
    const path = join(sharedData, file);
    const table = await readTable(path);
    samples = {
      length: table.rows.length,
      classes: table.classes,
      labels: (i) => table.labels.subarray(i * K, (i + 1) * K),
    };
    const lines = gunzipSync(readFileSync(path)).toString('utf8').trim().split('\n').slice(1);
    findings = lines.map((line) =>
      line
        .split(',')
        .slice(3)
        .flatMap((cell, c) => (cell.trim() === '1' ? [c] : [])),
    );
    counts = Array.from({ length: K }, (_, c) => findings.filter((own) => own.includes(c)).length);
    expect(findings).toHaveLength(112_120);
    expect([Math.max(...counts), Math.min(...counts)]).toEqual([19_870, 227]);
  });

  /** Visits with each finding in one epoch, and of each image. */
  function realised(choice: object, epoch = 0) {
    const sampler = createSampler(samplerSchema.parse(choice), samples, 11);
    const order = sampler.order(epoch);
    expect(order).toHaveLength(sampler.length);
    const perClass = new Array<number>(K).fill(0);
    const perImage = new Array<number>(findings.length).fill(0);
    for (const i of order) {
      perImage[i]!++;
      for (const c of findings[i]!) perClass[c]!++;
    }
    return { sampler, order, perClass, perImage };
  }

  /** Visits with each finding by a definition: image → expected visits. */
  function defined(visitsOf: (own: readonly number[]) => number): { perClass: number[]; total: number } {
    const perClass = new Array<number>(K).fill(0);
    let total = 0;
    for (const own of findings) {
      const visits = visitsOf(own);
      total += visits;
      for (const c of own) perClass[c]! += visits;
    }
    return { perClass, total };
  }

  test('shuffled: each image once', () => {
    const { perClass, perImage } = realised({ name: 'shuffled' });
    expect(perImage.every((n) => n === 1)).toBe(true);
    expect(perClass).toEqual(counts);
  });

  test.each([{ threshold: 0.01 }, { threshold: 0.2 }])(
    'repeat factors by label mass, $threshold: exactly',
    ({ threshold }) => {
      const mass = counts.reduce((a, b) => a + b, 0);
      const { perClass, total } = defined((own) =>
        Math.min(10, Math.round(Math.max(1, ...own.map((c) => Math.sqrt(threshold / (counts[c]! / mass)))))),
      );
      const got = realised({ name: 'repeat-factor', threshold });
      expect(got.perClass).toEqual(perClass);
      expect(got.sampler.length).toBe(total);
    },
  );

  test.each([{ threshold: 0.001 }, { threshold: 0.05 }])(
    'repeat factors by images, $threshold: nearer than independent chances would be',
    ({ threshold }) => {
      const factor = (own: readonly number[]) =>
        Math.max(1, ...own.map((c) => Math.sqrt(threshold / (counts[c]! / findings.length))));
      const { perClass, total } = defined(factor);
      for (const epoch of [0, 1]) {
        const got = realised({ name: 'repeat-factor', frequency: 'images', threshold }, epoch);
        expect(got.sampler.length).toBe(Math.floor(total + 1e-6));
        for (let c = 0; c < K; c++) {
          let variance = 0;
          for (const own of findings) {
            const fraction = factor(own) % 1;
            if (own.includes(c)) variance += fraction * (1 - fraction);
          }
          expect(Math.abs(got.perClass[c]! - perClass[c]!)).toBeLessThanOrEqual(2 * Math.sqrt(variance) + 1);
        }
      }
    },
  );

  test.each([
    { name: 'class-aware', power: 0, withoutPositives: 'class' },
    { name: 'class-aware', power: 0, withoutPositives: 'never' },
    { name: 'square-root', power: 0.5, withoutPositives: 'class' },
  ])('$name, images without positives: $withoutPositives', ({ name, power, withoutPositives }) => {
    const none = findings.filter((own) => own.length === 0).length;
    const weights = counts.map((n) => n ** power);
    const weightOfNone = withoutPositives === 'class' ? none ** power : 0;
    const sum = weights.reduce((a, b) => a + b, weightOfNone);
    const perImageOf = (own: readonly number[]) =>
      own.length === 0
        ? (findings.length * weightOfNone) / sum / none
        : own.reduce((visits, c) => visits + (findings.length * weights[c]!) / sum / counts[c]!, 0);
    const { perClass } = defined(perImageOf);
    const { sampler, perClass: got, perImage } = realised({ name, withoutPositives });
    expect(sampler.length).toBe(findings.length);
    for (let c = 0; c < K; c++) {
      // far inside what independent draws would give, √n
      expect(Math.abs(got[c]! - perClass[c]!)).toBeLessThanOrEqual(0.5 * Math.sqrt(perClass[c]!) + 1);
    }
    const visitsOfNone = perImage.reduce((n, visits, i) => (findings[i]!.length === 0 ? n + visits : n), 0);
    expect(Math.abs(visitsOfNone - (findings.length * weightOfNone) / sum)).toBeLessThan(2);
  });

  test('class-aware meets each class at least a fifteenth of the time, and repeats lie apart', () => {
    const { order, perClass, perImage } = realised({ name: 'class-aware' });
    for (const visits of perClass) expect(visits / order.length).toBeGreaterThanOrEqual(1 / 15 - 1e-3);
    const last = new Map<number, number>();
    let least = Number.POSITIVE_INFINITY;
    for (const [at, i] of order.entries()) {
      const before = last.get(i);
      if (before !== undefined) least = Math.min(least, (at - before) / (order.length / perImage[i]!));
      last.set(i, at);
    }
    // of the mean distance; the most visited image comes more than thirty times
    expect(Math.max(...perImage)).toBeGreaterThan(30);
    expect(least).toBeGreaterThan(0.65);
  });

  test('the frequencies that are printed are those of an epoch', () => {
    const { sampler, order, perClass } = realised({ name: 'square-root' });
    for (const [c, { after, before, positives }] of sampledFrequencies(samples, sampler).classes.entries()) {
      expect(positives).toBe(counts[c]);
      expect(before).toBeCloseTo(counts[c]! / findings.length, 12);
      expect(Math.abs(after - perClass[c]! / order.length)).toBeLessThan(1e-3);
    }
  });
});
