import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { augmentSchema, drawAugmentation, UNCHANGED } from '../../src/data/images/augment.js';
import { mixLabels } from '../../src/data/images/mix.js';
import { type Batch, BatchLoader, type BatchLoaderOptions } from '../../src/data/loader.js';
import { shuffledSampler } from '../../src/data/sampling/sampler.js';
import { madeDataset } from './made-dataset.js';

async function batchesOf(options: BatchLoaderOptions): Promise<Batch[]> {
  const batches: Batch[] = [];
  for await (const batch of new BatchLoader(options)) batches.push(batch);
  return batches;
}

const augmentation = augmentSchema.parse({ affine: { p: 1 }, noise: { p: 1 } });
const mixing = augmentSchema.parse({ mixup: { p: 0.4 }, cutmix: { p: 0.3 } });

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
    expect(last?.pixels).toHaveLength(60);
    expect(last?.pixels.subarray(30).every((value) => value === 0)).toBe(true);
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
        fc.constantFrom(augmentation, mixing),
        async (batchSize, prefetch, startBatch, epoch, augmentation) => {
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
    expect(batch?.pixels.subarray(0, 30)).toEqual(batch?.pixels.subarray(30));
    expect(batch?.changes).toHaveLength(2);
    expect(batch?.changes[0]).not.toEqual(batch?.changes[1]);
  });

  test('an epoch has the same pictures, changes and labels however it is cut into batches', async () => {
    const dataset = await madeDataset(23);
    for (const augmentation of [mixing, augmentSchema.parse({})]) {
      const common = { dataset, lastBatch: 'drop', augmentation, seed: 5, epoch: 1 } as const;
      const [one, ...others] = await Promise.all(
        [24, 4, 3, 1].map(async (batchSize) => {
          const order = shuffledSampler(dataset.length, 5).order(1);
          const batches = await batchesOf({ ...common, batchSize, order: Int32Array.of(...order, 0) });
          const all = <T>(of: (batch: Batch) => Iterable<T>) => batches.flatMap((batch) => [...of(batch)]);
          return {
            pixels: all(({ pixels }) => pixels),
            changes: all(({ changes }) => changes),
            mixes: all(({ mixes }) => mixes),
            targets: all(({ targets }) => targets),
            rows: all(({ rows }) => rows),
          };
        }),
      );
      for (const other of others) expect(other).toEqual(one);
    }
  });

  test('a mixed picture is followed by its partner, changed by the draw of the partner’s own slot', async () => {
    const dataset = await madeDataset(12);
    const order = shuffledSampler(12, 1).order(0);
    const keys = { seed: 3, epoch: 2 };
    const [batch] = await batchesOf({
      dataset,
      order,
      batchSize: 12,
      lastBatch: 'drop',
      augmentation: mixing,
      ...keys,
    });
    const { pixels, changes, mixes, targets } = batch!;
    expect(pixels).toHaveLength(24 * 30);
    expect(changes).toHaveLength(24);
    const kinds = { alone: 0, mixed: 0 };
    for (const [slot, mix] of mixes.entries()) {
      const [own, partner] = [0, 1].map((k) => pixels.subarray((2 * slot + k) * 30, (2 * slot + k + 1) * 30));
      expect(own).toEqual(await dataset.loadPixels(order[slot]!));
      expect(changes[2 * slot]).toEqual(drawAugmentation(mixing, [6, 5], { ...keys, slot }));
      const labels = targets.subarray(2 * slot, 2 * slot + 2);
      if (mix === null) {
        kinds.alone++;
        expect(partner!.every((value) => value === 0)).toBe(true);
        expect(changes[2 * slot + 1]).toEqual(UNCHANGED);
        expect(labels).toEqual(dataset.labels(order[slot]!));
      } else {
        kinds.mixed++;
        expect(partner).toEqual(await dataset.loadPixels(order[mix.partner]!));
        expect(changes[2 * slot + 1]).toEqual(
          drawAugmentation(mixing, [6, 5], { ...keys, slot: mix.partner }),
        );
        const [one, other] = [dataset.labels(order[slot]!), dataset.labels(order[mix.partner]!)];
        expect(labels).toEqual(mixLabels(one, other, mix.own));
      }
    }
    expect(kinds.alone).toBeGreaterThan(0);
    expect(kinds.mixed).toBeGreaterThan(3);
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
