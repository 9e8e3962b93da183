import fc from 'fast-check';
import { expect, test } from 'vitest';
import { augmentSchema, drawAugmentation } from '../../../src/data/images/augment.js';
import { ShapeError } from '../../../src/engine/errors.js';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { grad } from '../../../src/kernels/common/grad.js';
import { augmentGrey } from '../../../src/kernels/image/augment-grey.js';
import { changesShape, packChanges } from '../../../src/kernels/image/change-table.js';
import { sum } from '../../../src/kernels/reduce/reduce.js';
import { byKernels, byReference, EVERYTHING, IMPOSSIBLE, NOTHING, pictures } from './augmented.js';

/** The recipe's changes, drawn more often. */
const often = augmentSchema.parse({
  affine: { p: 0.6 },
  clahe: { p: 0.4 },
  brightnessContrast: { p: 0.6 },
  noise: { p: 0.6 },
  dropout: { p: 0.6 },
});

const drawsOf = (slots: readonly number[], size: readonly [number, number], augmentation = often) =>
  slots.map((slot) => drawAugmentation(augmentation, size, { seed: 7, epoch: 2, slot }));

const slots = (n: number) => Array.from({ length: n }, (_, slot) => slot);

test('batches of any size equal float64', async () => {
  // sides of fewer pixels than tiles, scalar and vec4 rows, none or some of a batch beyond the draws
  const cases = fc.tuple(
    fc.integer({ min: 1, max: 50 }),
    fc.integer({ min: 1, max: 50 }),
    fc.constantFrom(1, 3, 8),
  );
  await fc.assert(
    fc.asyncProperty(cases, async ([height, width, tiles]) => {
      const shape = [20, height, width] as const;
      const batch = pictures(...shape);
      const settings = { ...often, clahe: { p: 0.4, clip: 2, tiles } };
      // Moved values may lie to either side of a level's border, and would have other tables: clahe.test.ts has those apart.
      const draws = drawsOf(slots(18), [height, width], settings).map((draw) =>
        draw.clahe ? { ...draw, move: null } : draw,
      );
      const out = await byKernels(batch, shape, draws, settings);
      const least = byReference(batch, shape, draws, { tiles, nudge: -1e-4 });
      const most = byReference(batch, shape, draws, { tiles, nudge: 1e-4 });
      const outside = out.map((value, i) => Math.max(least[i]! - value, value - most[i]!));
      expect(Math.max(...outside)).toBeLessThan(2e-5);
      for (const [i, { clahe }] of draws.entries()) {
        const range = [i * height * width, (i + 1) * height * width] as const;
        if (clahe === null) expect(least.slice(...range)).toEqual(most.slice(...range));
      }
    }),
    { numRuns: 6 },
  );
});

test('a batch of all changes is each kernel’s work on the one before’s', async () => {
  const shape = [8, 31, 44] as const;
  const batch = pictures(...shape);
  const always = augmentSchema.parse(
    Object.fromEntries(Object.keys(EVERYTHING).map((name) => [name, { p: 1 }])),
  );
  const draws = drawsOf(slots(8), [31, 44], always);
  const off = { ...always, flip: false, affine: false, clahe: false, brightnessContrast: false } as const;
  const none = { ...off, noise: false, dropout: false } as const;
  const without = draws.map((draw) => ({ ...draw, holes: [] }));
  let out: Float32Array = batch;
  for (const [possible, own] of [
    [{ ...none, flip: always.flip, affine: always.affine }, without],
    [{ ...none, clahe: always.clahe }, without],
    [{ ...off, brightnessContrast: always.brightnessContrast }, draws],
  ] as const) {
    out = await byKernels(out, shape, own, possible);
  }
  expect(await byKernels(batch, shape, draws, always)).toEqual(out);
});

test('a picture for which nothing was drawn keeps its bits beside others that change', async () => {
  const shape = [5, 20, 24] as const;
  const batch = pictures(...shape).map((value) => value * 0.7);
  const all = drawsOf([0, 1], [20, 24], augmentSchema.parse({ clahe: { p: 1 }, noise: { p: 1 } }));
  const out = await byKernels(batch, shape, [NOTHING, all[0]!, NOTHING, all[1]!], often);
  for (const i of [0, 2, 4]) {
    const range = [i * 480, (i + 1) * 480] as const;
    expect(out.slice(...range)).toEqual(batch.slice(...range));
  }
});

test('a slot has the same row and the same pixels in any split of batches', async () => {
  const size = [18, 22] as const;
  const count = 18 * 22;
  const batch = pictures(6, ...size);
  const whole = await byKernels(batch, [6, ...size], drawsOf(slots(6), size), often);
  const rows = packChanges(drawsOf(slots(6), size), often, [6, ...size]);
  const [, length] = changesShape(often, 6);
  for (const [from, n] of [
    [0, 2],
    [2, 3],
    [5, 1],
  ] as const) {
    const draws = drawsOf(slots(6).slice(from, from + n), size);
    expect(packChanges(draws, often, [n, ...size])).toEqual(rows.slice(from * length, (from + n) * length));
    const part = await byKernels(batch.slice(from * count, (from + n) * count), [n, ...size], draws, often);
    expect(part).toEqual(whole.slice(from * count, (from + n) * count));
  }
});

test('kernels are traced for what the settings allow', () => {
  const ops = (possible: typeof IMPOSSIBLE) => {
    const graph = new Graph();
    augmentGrey(
      graph.input('grey', [2, 8, 8]),
      graph.input('changes', changesShape(possible, 2), 'u32'),
      possible,
    );
    return graph.nodes.map(({ op }) => op.name);
  };
  expect(ops(IMPOSSIBLE)).toEqual([]);
  expect(ops(EVERYTHING)).toEqual(['moveGrey', 'claheTables', 'claheGrey', 'toneGrey']);
  expect(ops({ ...IMPOSSIBLE, affine: {} })).toEqual(['moveGrey']);
  expect(ops({ ...IMPOSSIBLE, flip: {}, noise: {} })).toEqual(['moveGrey', 'toneGrey']);
});

test('a gradient is refused, and so are operands of other shapes', () => {
  const graph = new Graph();
  const grey = graph.input('grey', [2, 8, 8]);
  const changes = graph.input('changes', changesShape(EVERYTHING, 2), 'u32');
  const out = augmentGrey(grey, changes, EVERYTHING);
  expect(() => grad(sum(out), [grey])).toThrow(/toneGrey has no gradient/);
  expect(() => augmentGrey(graph.input('rgb', [2, 8, 8, 3]), changes, EVERYTHING)).toThrow(ShapeError);
  const without = { ...EVERYTHING, dropout: false } as const;
  expect(() => augmentGrey(grey, changes, without)).toThrow(/needs changes \[2,18\] u32 for these settings/);
});

test('a table holds no more pictures and holes than it has places for', () => {
  const hole = { top: 0, left: 0, height: 1, width: 1 };
  const two = { ...NOTHING, holes: [hole, hole] };
  expect(() => packChanges([NOTHING, NOTHING], often, [1, 8, 8])).toThrow(RangeError);
  expect(() => packChanges([two], { ...EVERYTHING, dropout: { holes: 1 } }, [1, 8, 8])).toThrow(RangeError);
  expect(packChanges([], often, [2, 8, 8]).every((word) => word === 0)).toBe(true);
});
