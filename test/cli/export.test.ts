import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { afterEach, expect, test, vi } from 'vitest';
import { ModelProtoSchema } from '../../src/export/onnx_pb.js';
import { readSafetensors } from '../../src/models/safetensors/safetensors.js';
import { type Checkpoint, encodeCheckpoint } from '../../src/weights/checkpoint.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { testDevice } from '../device.js';
import { channelsFirst, hashedTensors, TOLERANCE } from '../export/both-ways.js';
import { MISSING, runtime, withOnnx } from '../export/onnx-runtime.js';
import { hashPixels } from '../golden/hash-weights.js';

afterEach(() => {
  vi.restoreAllMocks();
  vi.resetModules();
  process.exitCode = undefined;
});

/** Runs the command in this process, as `node dist/cli/export.js ...words` would. */
async function command(...words: string[]): Promise<{ printed: string; code: number }> {
  let printed = '';
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      printed += text;
      return true;
    });
  }
  const argv = process.argv;
  process.argv = ['node', 'export.js', ...words];
  try {
    await import('../../src/cli/export.js');
  } finally {
    process.argv = argv;
    vi.restoreAllMocks();
  }
  return { printed, code: Number(process.exitCode ?? 0) };
}

const CLASSES = ['Effusion', 'Mass | "x"', 'Hernia'];

async function checkpointFile(folder: string, changes: Partial<Checkpoint> = {}): Promise<string> {
  const model = {
    arch: 'resnet10',
    classes: CLASSES.length,
    inChannels: 1,
    head: { name: 'linear' },
    stem: 'imagenet',
    width: 8,
    dropRate: 0,
    dropPathRate: 0,
  } as const;
  const checkpoint: Checkpoint = {
    tensors: hashedTensors(model),
    model,
    classes: CLASSES,
    preprocessing: {
      size: [48, 64],
      channels: 1,
      window: { kind: 'full' },
      resize: 'bilinear',
      bits: 16,
      mean: [0.5],
      std: [0.25],
    },
    weights: 'average',
    epoch: 3,
    step: 30,
    metrics: { mAP: 0.25, auroc: 0.75 },
    prevalence: [0.5, 0.02, null],
    simulated: true,
    recipe: { seed: 7 },
    tailray: '0.0.0-test',
    ...changes,
  };
  const path = join(folder, 'trained.safetensors');
  await writeFile(path, await encodeCheckpoint(checkpoint));
  return path;
}

test('writes ONNX with all that the checkpoint says of itself, the weights, and a card', async () => {
  const folder = await temporaryFolder();
  const path = await checkpointFile(folder);
  const out = join(folder, 'not', 'there yet');
  const [onnx, weights] = [join(out, 'model.onnx'), join(out, 'model.safetensors')];
  const { printed, code } = await command(path, '--onnx', onnx, '--safetensors', weights);
  expect(printed).toMatch(
    /^model {6}resnet10 for 3 classes, average weights of epoch 3\nwritten {4}.*model\.onnx, [\d.]+ KiB\nwritten {4}.*model\.safetensors, .*\nwritten {4}.*model-card\.md\n$/,
  );
  expect(code).toBe(0);

  const model = fromBinary(ModelProtoSchema, await readFile(onnx));
  const metadata = Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, JSON.parse(value)]));
  expect(metadata).toMatchObject({
    classes: CLASSES,
    preprocessing: { size: [48, 64], window: { kind: 'full' }, mean: [0.5], std: [0.25] },
    recipe: { seed: 7 },
    metrics: { mAP: 0.25 },
    tailray: '0.0.0-test',
  });
  expect(model.docString).toContain('Resize to 48 × 64');

  const written = readSafetensors(await readFile(weights));
  expect(written.metadata).toMatchObject({ format: 'pt', classes: JSON.stringify(CLASSES) });
  const before = readSafetensors(await readFile(path)).tensors;
  expect([...written.tensors.keys()]).toEqual([...before.keys()]);
  for (const [name, { data }] of before) expect(written.tensors.get(name)?.data).toEqual(data);

  const card = await readFile(join(out, 'model-card.md'), 'utf8');
  expect(card).toContain('Mass \\| "x"');
  expect(card).toContain('are not known here');
  for (const text of [card, model.docString]) expect(text).toContain('knows nothing of patients');
});

test('what was exported gives the probabilities of the checkpoint, in batches', async ({ skip }) => {
  skip(!runtime, MISSING);
  const { Classifier } = await import('../../src/predict/classifier.js');
  const { readCheckpoint } = await import('../../src/weights/checkpoint.js');
  const folder = await temporaryFolder();
  const path = await checkpointFile(folder);
  await command(path, '--onnx', join(folder, 'model.onnx'));
  const pixels = hashPixels([4, 48, 64], 2);
  const images = Float32Array.from(pixels, (value) => (value / 65535 - 0.5) / 0.25);
  const classifier = await Classifier.load(await testDevice(), await readCheckpoint(path), {
    path,
    batchSize: 4,
  });
  const expected = await classifier.probabilities(pixels);
  classifier.destroy();
  await withOnnx(await readFile(join(folder, 'model.onnx')), async (run) => {
    const { logits } = await run({ image: channelsFirst(images, [4, 48, 64, 1]) });
    const probabilities = logits!.data.map((x) => 1 / (1 + Math.exp(-x)));
    expect(Math.max(...probabilities.map((p, i) => Math.abs(p - expected[i]!)))).toBeLessThan(TOLERANCE);
    await expect(run({ image: channelsFirst(images, [4, 64, 48, 1]) })).rejects.toThrow('invalid dimensions');
  });
});

test('without a format it says which there are', async () => {
  const { printed, code } = await command(await checkpointFile(await temporaryFolder()));
  expect(printed).toContain(
    'say what to write: --onnx model.onnx, --safetensors model.safetensors, or both.',
  );
  expect(code).toBe(2);
});

test('files and cards that are there are not replaced unless asked to', async () => {
  const folder = await temporaryFolder({ 'out/model.onnx': 'mine', 'out/model-card.md': 'mine' });
  const path = await checkpointFile(folder);
  const out = join(folder, 'out');
  const refused = await command(path, '--onnx', join(out, 'model.onnx'));
  expect(refused.printed).toContain('exists already: replace it with --force, or choose another name.');
  expect(refused.code).toBe(2);
  vi.resetModules();
  const beside = await command(path, '--onnx', join(out, 'other.onnx'));
  expect(beside.printed).toContain('model-card.md: it is there and says something else; --force replaces it');
  expect(await readFile(join(out, 'model-card.md'), 'utf8')).toBe('mine');
  vi.resetModules();
  await command(path, '--onnx', join(out, 'model.onnx'), '--force');
  expect(await readFile(join(out, 'model-card.md'), 'utf8')).toContain('# trained');
  expect((await readFile(join(out, 'model.onnx'))).length).toBeGreaterThan(1000);
});

test('a checkpoint whose weights are those of another network is refused by name', async () => {
  const folder = await temporaryFolder();
  const tensors = new Map(hashedTensors({ arch: 'resnet10', classes: 3, width: 8 }));
  tensors.delete('fc.bias');
  const path = await checkpointFile(folder, { tensors });
  const { printed, code } = await command(path, '--onnx', join(folder, 'model.onnx'));
  expect(printed).toMatch(/fc\.bias +– +\[3\]/);
  expect(code).toBe(2);
});

test('a run directory stands for its best checkpoint; a folder without one is an error of one line', async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'run'));
  const { printed, code } = await command(join(folder, 'run'), '--onnx', join(folder, 'model.onnx'));
  expect(printed).toMatch(/^error: .*best\.safetensors: there is no such file\.\n$/);
  expect(code).toBe(2);
});
