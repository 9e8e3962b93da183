import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { preprocessingSchema } from '../../src/data/images/preprocessing.js';
import { createModel } from '../../src/index.js';
import { defineModel } from '../../src/models/model.js';
import { writeSafetensors } from '../../src/models/safetensors/safetensors.js';
import { fetchWeights } from '../../src/weights/fetch-weights.js';
import { weightsFrom } from '../../src/weights/initial-weights.js';
import { openWeightSource } from '../../src/weights/open-weight-source.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { testDevice } from '../device.js';
import { FakeHub } from '../hub/fake-hub.js';
import { stateDict } from '../models/named-tensors.js';
import { tinyRecipe } from '../train/run/tiny-run.js';
import { goldenBytes } from './torch-file/golden-torch-files.js';
import { dict, program, torchZip } from './torch-file/torch-zip.js';

const network = { arch: 'resnet10', classes: 3, stem: 'small-stride2', width: 4 } as const;
const definition = defineModel(network);
const tensors = [...stateDict(definition)];
const weights = writeSafetensors(tensors);
const options = { head: 'keep', seed: 0 } as const;

/** As timm's repositories have it. */
const timmConfig = (architecture = 'resnet10') =>
  JSON.stringify({
    architecture,
    num_classes: 3,
    pretrained_cfg: {
      tag: 'a1',
      input_size: [3, 224, 224],
      mean: [0.485, 0.456, 0.406],
      std: [0.229, 0.224, 0.225],
    },
  });

const from = (hub: FakeHub, rest = '') => `hf-hub:${hub.repo}${rest}`;

test('a model starts from a repository, by its name alone', async () => {
  const hub = await FakeHub.start();
  hub.commit({ 'model.safetensors': weights, 'config.json': timmConfig() });
  const images = Float32Array.from({ length: 256 }, (_, i) => Math.sin(i));
  const device = await testDevice();
  const model = await createModel(device, { ...network, weights: from(hub) });
  expect(model.notes).toEqual(['weights from hf-hub:timm/tiny.']);
  const again = await createModel(device, { ...network, weights: from(hub), hub: { offline: true } });
  expect(await again.forward(images, [1, 16, 16, 1])).toEqual(await model.forward(images, [1, 16, 16, 1]));
  const fresh = await createModel(device, network);
  expect(await fresh.forward(images, [1, 16, 16, 1])).not.toEqual(
    await model.forward(images, [1, 16, 16, 1]),
  );
});

describe('what timm’s config.json says', () => {
  test('weights of another architecture are refused before they are downloaded', async () => {
    const hub = await FakeHub.start();
    // older files have the tag behind the name
    hub.commit({ 'model.safetensors': weights, 'config.json': timmConfig('resnet50.a1_in1k') });
    await expect(weightsFrom(from(hub), definition, options)).rejects.toThrow(
      'hf-hub:timm/tiny: has weights of resnet50, the model is a resnet10: set model.arch to resnet50',
    );
    expect(hub.asked().join()).not.toContain('safetensors');
  });

  test.each([
    [1, '[0.449]', '[0.226]'],
    [3, '[0.485, 0.456, 0.406]', '[0.229, 0.224, 0.225]'],
  ] as const)('a mean that it does not have is noted, %d channels', async (channels, mean, std) => {
    const hub = await FakeHub.start();
    hub.commit({ 'model.safetensors': weights, 'config.json': timmConfig() });
    const notes = async (preprocessing: object) =>
      (
        await weightsFrom(from(hub), definition, {
          ...options,
          preprocessing: preprocessingSchema.parse({ channels, ...preprocessing }),
        })
      ).notes.slice(1);
    expect(await notes({ mean: JSON.parse(mean), std: JSON.parse(std) })).toEqual([]);
    expect(await notes({})).toEqual([
      expect.stringMatching(
        /mean \[0\.485, 0\.456, 0\.406\] and std .*, the recipe has mean \[0\.5\] and std \[0\.25\]/,
      ),
    ]);
    expect((await notes({}))[0]).toContain(
      `--set 'preprocessing.mean=${mean}' --set 'preprocessing.std=${std}'`,
    );
  });

  test.each(['', '{', '[]', '{"architectures": ["ResNetForImageClassification"], "model_type": "resnet"}'])(
    'another library’s or a broken one (%s) says nothing',
    async (config) => {
      const hub = await FakeHub.start();
      hub.commit({ 'model.safetensors': weights, 'config.json': config });
      expect((await weightsFrom(from(hub), definition, options)).notes).toEqual([
        'weights from hf-hub:timm/tiny.',
      ]);
    },
  );

  test('a folder that is a copy of a repository is one', async () => {
    const folder = await temporaryFolder({
      'model.safetensors': weights,
      'config.json': timmConfig('resnet50'),
    });
    await expect(weightsFrom(join(folder, 'model.safetensors'), definition, options)).rejects.toThrow(
      /of resnet50/,
    );
  });
});

describe('which file', () => {
  test('the one that is named', async () => {
    const hub = await FakeHub.start();
    hub.commit({ 'a/best.safetensors': weights, 'model.safetensors': 'something else' });
    expect((await weightsFrom(from(hub, ':a/best.safetensors'), definition, options)).notes).toHaveLength(1);
  });

  test('several, by their index', async () => {
    const hub = await FakeHub.start();
    const half = tensors.length >> 1;
    const names = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
    const map = Object.fromEntries(tensors.map(([name], i) => [name, names[i < half ? 0 : 1]]));
    hub.commit({
      [names[0]]: writeSafetensors(tensors.slice(0, half)),
      [names[1]]: writeSafetensors(tensors.slice(half)),
      'model.safetensors.index.json': JSON.stringify({ metadata: {}, weight_map: map }),
    });
    const { parameters } = await weightsFrom(from(hub), definition, options);
    const whole = await temporaryFolder({ 'w.safetensors': weights });
    expect(parameters).toEqual(
      (await weightsFrom(join(whole, 'w.safetensors'), definition, options)).parameters,
    );
  });

  test('PyTorch’s own, where there is no other, or where it is named', async () => {
    const hub = await FakeHub.start();
    hub.commit({ 'pytorch_model.bin': torchZip(program(dict([]))), 'old.pth': 'a program', 'README.md': '' });
    for (const rest of ['', ':pytorch_model.bin']) {
      await expect(weightsFrom(from(hub, rest), definition, options)).rejects.toThrow(
        /pytorch_model\.bin: is a file of PyTorch's that tailray does not read: it is a dictionary without tensors/,
      );
    }
    await expect(weightsFrom(from(hub, ':old.pth'), definition, options)).rejects.toMatchObject({
      kind: 'damaged',
    });
    hub.commit({ 'pytorch_model.bin': 'a program', 'model.safetensors': weights });
    expect((await weightsFrom(from(hub), definition, options)).notes).toHaveLength(1);
  });

  test('several of PyTorch’s, by their index', async () => {
    const hub = await FakeHub.start();
    hub.commit({
      'pytorch_model.bin.index.json': JSON.stringify({
        weight_map: { 'a.weight': 'one.bin', 'a.bias': 'one.bin' },
      }),
      'one.bin': goldenBytes('protocol-3'),
    });
    // read, and of another network
    await expect(weightsFrom(from(hub), definition, options)).rejects.toMatchObject({ kind: 'mismatch' });
    expect(hub.asked().join()).toContain('one.bin');
  });

  test('none: what there is instead is named', async () => {
    const hub = await FakeHub.start();
    hub.commit({ 'open_clip_model.safetensors': weights, 'model.pth': 'a program' });
    await expect(weightsFrom(from(hub), definition, options)).rejects.toThrow(
      /model\.safetensors: there is no such file\. There are open_clip_model\.safetensors, model\.pth\./,
    );
  });
});

describe('a run’s weights', () => {
  test('are fetched first, and their commit is kept', async () => {
    const hub = await FakeHub.start();
    const commit = hub.commit({ 'model.safetensors': weights, 'config.json': timmConfig() });
    const given = tinyRecipe(`model.weights=${from(hub)}`);
    const { recipe } = await fetchWeights(given, {});
    expect(recipe).toEqual({ ...given, model: { ...given.model, weights: `hf-hub:timm/tiny@${commit}` } });
    // from here on nobody is asked, whatever the branch becomes
    hub.commit({ 'model.safetensors': 'other' });
    hub.asked();
    expect(basename(await openWeightSource(recipe.model.weights ?? '').file())).toBe('model.safetensors');
    expect(hub.asked()).toEqual([]);
  });

  test('that are not there, or another network’s, stop it before anything else', async () => {
    const hub = await FakeHub.start();
    hub.commit({ 'model.safetensors': weights, 'config.json': timmConfig('resnet50') });
    await expect(fetchWeights(tinyRecipe(`model.weights=${from(hub)}`), {})).rejects.toThrow(
      /has weights of resnet50/,
    );
    await expect(fetchWeights(tinyRecipe('model.weights=/nowhere/w'), {})).rejects.toThrow(
      /there is no such file/,
    );
    await expect(fetchWeights(tinyRecipe('model.weights=https://x/w'), {})).rejects.toThrow(
      /are called hf-hub:/,
    );
    await expect(fetchWeights(tinyRecipe('model.weights=hf-hub:x'), {})).rejects.toThrow(
      /expected hf-hub:owner/,
    );
    const none = tinyRecipe();
    expect((await fetchWeights(none, {})).recipe).toBe(none);
  });
});
