import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { augmentSchema } from '../../src/data/images/augment.js';
import { type Batch, BatchLoader, type BatchLoaderOptions } from '../../src/data/loader.js';
import { shuffledSampler } from '../../src/data/sampling/sampler.js';
import { madeDataset } from './made-dataset.js';

async function batchesOf(options: BatchLoaderOptions): Promise<Batch[]> {
  const batches: Batch[] = [];
  for await (const batch of new BatchLoader(options)) batches.push(batch);
  return batches;
}

const augmentation = augmentSchema.parse({ affine: { p: 1 }, noise: { p: 1 } });

describe('batches', () => {
  test('hold the pictures, labels and rows of their samples', async () => {
    const dataset = (await madeDataset(7)).subset([6, 5, 4, 3, 2, 1, 0]);
    const batches = await batchesOf({
      dataset,
      order: Int32Array.of(2, 0, 5, 6),
      batchSize: 2,
      lastBatch: 'drop',
    });
    expect(batches.map((batch) => [...batch.rows])).toEqual([
      [4, 6],
      [1, 0],
    ]);
    const [first] = batches;
    expect(first?.images.subarray(90)).toEqual(await dataset.load(0));
    expect(first?.pixels.subarray(30)).toEqual(await dataset.loadPixels(0));
    expect([...(first?.targets ?? [])]).toEqual([0, 1, 0, Number.NaN]);
  });

  test('the last one is dropped or padded with unknown labels', async () => {
    const dataset = await madeDataset(5);
    const dropped = await batchesOf({ dataset, batchSize: 2, lastBatch: 'drop' });
    expect(dropped).toHaveLength(2);
    const padded = await batchesOf({ dataset, batchSize: 2, lastBatch: 'pad' });
    expect(padded.slice(0, 2)).toEqual(dropped);
    const last = padded[2];
    expect(last?.valid).toBe(1);
    expect([...(last?.rows ?? [])]).toEqual([4, -1]);
    expect(last?.images).toHaveLength(180);
    expect(last?.images.subarray(90).every((value) => value === 0)).toBe(true);
    expect([...(last?.targets.subarray(2) ?? [])]).toEqual([Number.NaN, Number.NaN]);
  });

  test('an epoch entered anywhere goes on as if it had run from its start, at any prefetch', async () => {
    const dataset = await madeDataset(11);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 6 }),
        fc.nat(8),
        fc.nat(3),
        async (batchSize, prefetch, startBatch, epoch) => {
          const common = {
            dataset,
            order: shuffledSampler(dataset.length, 5).order(epoch),
            batchSize,
            lastBatch: 'pad',
            augmentation,
            seed: 5,
            epoch,
          } as const;
          const whole = await batchesOf({ ...common, prefetch: 1 });
          expect(whole.map((batch) => batch.index)).toEqual([...whole.keys()]);
          expect(await batchesOf({ ...common, prefetch, startBatch })).toEqual(whole.slice(startBatch));
        },
      ),
      { numRuns: 12 },
    );
  });

  test('a sample that occurs twice in an epoch is augmented in two ways', async () => {
    const dataset = await madeDataset(1);
    const [batch] = await batchesOf({
      dataset,
      order: Int32Array.of(0, 0),
      batchSize: 2,
      lastBatch: 'drop',
      augmentation,
    });
    expect(batch?.images.subarray(0, 90)).not.toEqual(batch?.images.subarray(90));
  });

  test('augmented pictures don’t reach the cache', async () => {
    const dataset = await madeDataset(3);
    const plain = await batchesOf({ dataset, batchSize: 3, lastBatch: 'pad' });
    await batchesOf({ dataset, batchSize: 3, lastBatch: 'pad', augmentation });
    expect(await batchesOf({ dataset, batchSize: 3, lastBatch: 'pad' })).toEqual(plain);
  });

  test('no samples, no batches', async () => {
    const dataset = (await madeDataset(1)).subset([]);
    expect(await batchesOf({ dataset, batchSize: 4, lastBatch: 'pad' })).toEqual([]);
  });
});

describe('ends', () => {
  test('an unreadable picture ends the loop with its error, after the batches before it', async () => {
    const dataset = await madeDataset(8, { '5.png': 'text' });
    const seen: number[] = [];
    const run = async () => {
      for await (const batch of new BatchLoader({ dataset, batchSize: 2, lastBatch: 'pad', prefetch: 4 })) {
        seen.push(batch.index);
      }
    };
    await expect(run()).rejects.toMatchObject({ name: 'ImageError', kind: 'notAnImage', line: 7 });
    expect(seen).toEqual([0, 1]);
  });

  test('leaving the loop and close() stop the work', async () => {
    const dataset = await madeDataset(12);
    const loaded: number[] = [];
    const { store } = dataset;
    const prepared = store.prepared.bind(store);
    store.prepared = (image, line) => {
      loaded.push(Number.parseInt(image, 10));
      return prepared(image, line);
    };
    const loader = new BatchLoader({ dataset, batchSize: 1, lastBatch: 'pad', prefetch: 2 });
    for await (const batch of loader) if (batch.index === 3) break;
    // batch 3 was out, and no more than two beyond it were begun
    expect(Math.max(...loaded)).toBeLessThanOrEqual(5);

    const closing = new BatchLoader({ dataset, batchSize: 1, lastBatch: 'pad', prefetch: 2 });
    let count = 0;
    for await (const _ of closing) {
      count++;
      closing.close();
    }
    expect(count).toBe(1);
  });

  test('no more than `prefetch` batches are begun ahead of the one in hand', async () => {
    const dataset = await madeDataset(12, {}, { cacheBytes: 0 });
    let begun = 0;
    const { store } = dataset;
    const prepared = store.prepared.bind(store);
    store.prepared = (image, line) => {
      begun++;
      return prepared(image, line);
    };
    let taken = 0;
    for await (const _ of new BatchLoader({ dataset, batchSize: 1, lastBatch: 'pad', prefetch: 3 })) {
      taken++;
      expect(begun).toBeLessThanOrEqual(taken + 3);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(begun).toBe(12);
  });

  test.each([{ batchSize: 0 }, { batchSize: 1.5 }, { prefetch: 0 }, { startBatch: -1 }])(
    '%j',
    async (options) => {
      const dataset = await madeDataset(1);
      expect(() => new BatchLoader({ dataset, batchSize: 1, lastBatch: 'pad', ...options })).toThrow(
        /whole number/,
      );
    },
  );
});
