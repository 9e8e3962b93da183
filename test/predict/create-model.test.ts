import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import * as tailray from '../../src/index.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { testDevice } from '../device.js';
import { stateDict } from '../models/named-tensors.js';

const config = { arch: 'resnet10', classes: 3, stem: 'small-stride2', width: 4 } as const;
const shape = [2, 16, 16, 1] as const;
const images = Float32Array.from({ length: 512 }, (_, i) => Math.sin(i * 0.37));

describe('a model by hand', () => {
  test('gives logits and features, the same for the same seed', async () => {
    const device = await testDevice();
    const model = await tailray.createModel(device, config);
    const logits = await model.forward(images, shape);
    expect(logits).toHaveLength(6);
    expect(logits.every(Number.isFinite)).toBe(true);
    expect(await model.features(images, shape)).toHaveLength(2 * 32);
    const same = await tailray.createModel(device, { ...config, seed: 0 });
    expect(await same.forward(images, shape)).toEqual(logits);
    const other = await tailray.createModel(device, { ...config, seed: 1 });
    expect(await other.forward(images, shape)).not.toEqual(logits);
    // one image alone: its result does not depend on its neighbours
    const alone = await model.forward(images.subarray(256), [1, 16, 16, 1]);
    for (const c of [0, 1, 2]) expect(alone[c]).toBeCloseTo(logits[3 + c] ?? Number.NaN, 5);
    await model.destroy();
  });

  test('takes weights in timm’s naming', async () => {
    const device = await testDevice();
    const folder = await temporaryFolder();
    const source = tailray.defineModel(config);
    const parameters = new Map(
      source.parameters.map(({ name, shape: sizes }) => {
        const length = sizes.reduce((product, size) => product * size, 1);
        return [name, Float32Array.from({ length }, (_, i) => 0.1 * Math.sin(i + name.length))];
      }),
    );
    const statistics = new Map(
      source.statistics.map(({ name, shape: sizes }) => [name, new Float32Array(sizes[0] ?? 0).fill(1)]),
    );
    const path = join(folder, 'w.safetensors');
    const tensors = tailray.exportTimm(source, { parameters, statistics });
    await writeFile(path, tailray.writeSafetensors(tensors));
    const model = await tailray.createModel(device, { ...config, weights: path });
    const fresh = await tailray.createModel(device, config);
    expect(await model.forward(images, shape)).not.toEqual(await fresh.forward(images, shape));
    const five = { ...config, classes: 5, weights: path };
    await expect(tailray.createModel(device, five)).rejects.toThrow(
      /2 tensors differ\n.*\n {2}fc\.weight +\[3, 32\] +\[5, 32\]\n {2}fc\.bias +\[3\] +\[5\]\nOnly the head differs.*weightsHead: 'reset'/,
    );
    const reset = await tailray.createModel(device, { ...five, weightsHead: 'reset' });
    expect(reset.notes.join(' ')).toMatch(/the head starts afresh \(fc\.weight, fc\.bias\)/);
    expect(await reset.features(images, shape)).toEqual(await model.features(images, shape));
    const wider = tailray.createModel(device, { ...config, width: 8, weights: path });
    await expect(wider).rejects.toMatchObject({ kind: 'mismatch' });
  });

  test('weights for RGB images score a grey one as if it were in every channel', async () => {
    const device = await testDevice();
    const folder = await temporaryFolder();
    const path = join(folder, 'rgb.safetensors');
    const rgb = { ...config, inChannels: 3 };
    await writeFile(path, tailray.writeSafetensors(stateDict(tailray.defineModel(rgb))));
    const colour = await tailray.createModel(device, { ...rgb, weights: path });
    const repeated = Float32Array.from(
      { length: 3 * images.length },
      (_, i) => images[Math.floor(i / 3)] ?? 0,
    );
    const expected = await colour.forward(repeated, [2, 16, 16, 3]);
    const grey = await tailray.createModel(device, { ...config, weights: path });
    expect(grey.notes.join(' ')).toMatch(
      /conv1\.weight reads one grey channel: the sum of its weights for 3/,
    );
    const logits = await grey.forward(images, shape);
    for (const [i, value] of expected.entries()) expect(logits[i]).toBeCloseTo(value, 4);
  });

  test('says what doesn’t fit', async () => {
    const device = await testDevice();
    const model = await tailray.createModel(device, { ...config, imageSize: 16 });
    await expect(async () => model.forward(images, [2, 16, 8, 2])).rejects.toThrow(
      /2 channels, the model takes 1/,
    );
    await expect(async () => model.forward(images, [4, 16, 8, 1])).rejects.toThrow(
      /16 × 8, the model takes 16 × 16/,
    );
    await expect(async () => model.forward(images, [1, 16, 16, 1])).rejects.toThrow(/got 512 values/);
    await expect(tailray.createModel(device, { ...config, arch: 'vgg' })).rejects.toThrow(
      /no architecture "vgg"/,
    );
  });
});

test('the package has the names that others rely on', () => {
  expect(tailray).toMatchObject({
    openDevice: expect.any(Function),
    createModel: expect.any(Function),
    evaluateLoss: expect.any(Function),
    readSafetensors: expect.any(Function),
    writeSafetensors: expect.any(Function),
    compile: expect.any(Function),
    grad: expect.any(Function),
    metrics: {
      averagePrecision: expect.any(Function),
      rocAuc: expect.any(Function),
      f1: expect.any(Function),
      expectedCalibrationError: expect.any(Function),
      summarize: expect.any(Function),
    },
    ops: { conv2d: expect.any(Function), matmul: expect.any(Function) },
  });
});
