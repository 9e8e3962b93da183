import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CLASS_EMBEDDINGS } from '../../../src/models/heads/projection.js';
import { toFloat32 } from '../../../src/models/safetensors/safetensors.js';
import { viewsOf } from '../../../src/predict/views/views.js';
import { writeModelCard } from '../../../src/report/model-card.js';
import { prepareRun } from '../../../src/train/run/prepare-run.js';
import { planRun } from '../../../src/train/run/run-plan.js';
import { trainRun } from '../../../src/train/run/train-run.js';
import { readCheckpoint } from '../../../src/weights/checkpoint.js';
import { createClip } from '../../../src/zeroshot/clip.js';
import { openImageTextModel } from '../../../src/zeroshot/open-image-text-model.js';
import { readTextTable, writeTextTable } from '../../../src/zeroshot/texts/text-table.js';
import { testDevice } from '../../device.js';
import { relativeError } from '../../golden/digest.js';
import { writeSmallClip } from '../../zeroshot/small-clip.js';
import { TINY_RECIPE, writeTinyDataset } from './tiny-run.js';

let folder: string;
const PROMPTS = `
findings:
  bright: {appearance: [a bright left half, white on the left], terminology: [brightness]}
  striped: {appearance: [horizontal stripes, lines from side to side]}
  dark: {appearance: [a dark left half], terminology: [darkness]}
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailray-zeroshot-run-'));
  await writeTinyDataset(join(folder, 'data'));
  await writeFile(join(folder, 'prompts.yaml'), PROMPTS);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Trains, in a run folder of that name, by the tiny recipe with these changes. */
async function train(
  out: string,
  changes: readonly string[],
  options: { resume?: boolean; stopAfter?: number } = {},
) {
  const recipe = join(folder, 'tiny.yaml');
  await writeFile(
    recipe,
    `${TINY_RECIPE}
zeroshot: {unseen: [dark], prompts: ${join(folder, 'prompts.yaml')}}
`,
  );
  const { resume = false, stopAfter } = options;
  const plan = await planRun({
    recipe: resume ? undefined : recipe,
    set: resume
      ? []
      : ['model.head={name: projection, dims: 16, bias: true, buckets: 64, wordHidden: 8}', ...changes],
    data: resume ? undefined : join(folder, 'data'),
    out: join(folder, out),
    resume,
  });
  const ready = await prepareRun(plan, { cache: folder });
  return trainRun(ready, { device: await testDevice(), stopAfter });
}

const weightsOf = async (out: string) => readCheckpoint(join(folder, out, 'best.safetensors'));

describe('a run that is declared zero-shot', () => {
  test('trains an encoder of words along, says which labels it read, and scores a finding that it never saw', async () => {
    const summary = await train('words', []);
    expect(summary.zeroshot).toEqual({
      unseen: ['dark'],
      labelsRead: ['bright', 'striped'],
      startedFrom: null,
      prompts: { sha256: expect.stringMatching(/^[\da-f]{64}$/), texts: 'words' },
    });
    expect(await readFile(join(folder, 'words', 'prompts.yaml'), 'utf8')).toBe(PROMPTS);
    await writeModelCard(join(folder, 'words', 'best.safetensors'));
    expect(await readFile(join(folder, 'words', 'model-card.md'), 'utf8')).toMatch(
      /of which it saw no label \(dark\), by prompts.*\n+```sh\nnpx tailray zeroshot score/,
    );
    const device = await testDevice();
    const model = await openImageTextModel(device, join(folder, 'words'), { batchSize: 3 });
    try {
      expect(model.width).toBe(16);
      expect(model.training).toEqual({
        classes: ['bright', 'striped'],
        unseen: ['dark'],
        prompts: join(folder, 'words', 'prompts.yaml'),
      });
      const texts = await model.textSide().encode(['a dark left half', 'words that nobody wrote before']);
      for (const row of [texts.subarray(0, 16), texts.subarray(16)])
        expect(Math.hypot(...row)).toBeCloseTo(1, 4);
      const pixels = Uint16Array.from({ length: 4 * 256 }, (_, i) => 32767 * (1 + Math.sin(i)));
      const embedded = await model.encodeImages(pixels);
      expect(embedded.length).toBe(64);
      expect(Math.hypot(...embedded.subarray(48))).toBeCloseTo(1, 4);
      const mirrored = pixels.map((_, i) => pixels[i + 15 - 2 * (i % 16)]!);
      const shown = await model.encodeImages(pixels, viewsOf('flip')[1]);
      expect(relativeError(shown, await model.encodeImages(mirrored))).toBeLessThan(1e-6);
      expect(relativeError(shown, embedded)).toBeGreaterThan(1e-3);
      await expect(async () => model.textSide().encode(['…'])).rejects.toThrow(/has no word to read/);
    } finally {
      await model.destroy();
    }
    await expect(openImageTextModel(device, join(folder, 'words'), { imageSize: 32 })).rejects.toThrow(
      /takes no imageSize: its images and texts are prepared as in its training/,
    );
  });

  test('gives the same weights in one go and after an interruption, with its own copy of the prompts', async () => {
    expect((await train('resumed', [], { stopAfter: 3 })).status).toBe('stopped');
    await writeFile(join(folder, 'prompts.yaml'), PROMPTS.replace('brightness', 'glare'));
    try {
      await train('resumed', [], { resume: true });
    } finally {
      await writeFile(join(folder, 'prompts.yaml'), PROMPTS);
    }
    const [whole, resumed] = [await weightsOf('words'), await weightsOf('resumed')];
    expect(resumed.tensors).toEqual(whole.tensors);
  });

  test('refuses to go on with other prompts than those that it was begun with', async () => {
    await train('touched', [], { stopAfter: 3 });
    await writeFile(join(folder, 'touched', 'prompts.yaml'), PROMPTS.replace('brightness', 'glare'));
    await expect(train('touched', [], { resume: true })).rejects.toThrow(
      /are others than those the run began with/,
    );
  });

  test('takes class embeddings of a CLIP, and keeps them to the bit through training', async () => {
    await mkdir(join(folder, 'clip'));
    const path = await writeSmallClip(join(folder, 'clip'));
    await train('clip-texts', [`zeroshot.texts=${path}`, 'model.head={name: projection, dims: 16}']);
    const device = await testDevice();
    const clip = await createClip(device, { weights: path });
    const texts = ['horizontal stripes', 'lines from side to side'];
    const rows = await clip.encodeTexts(texts);
    await clip.destroy();
    const embeddings = toFloat32((await weightsOf('clip-texts')).tensors.get(CLASS_EMBEDDINGS)!);
    for (let i = 0; i < 16; i++) {
      expect(embeddings[16 + i]).toBeCloseTo((rows[i]! + rows[16 + i]!) / 2, 6);
    }
    // the run keeps every text's embedding, those of the unseen finding too
    const kept = await readTextTable(join(folder, 'clip-texts', 'texts.safetensors'));
    expect(kept.texts).toContain('a dark left half');
    const model = await openImageTextModel(device, join(folder, 'clip-texts'));
    const side = model.textSide();
    expect([...(await side.encode([texts[1]!]))]).toEqual([...rows.subarray(16)]);
    await expect(side.encode(['a new text'])).rejects.toThrow(
      /has no embedding for 1 of 1 texts, such as "a new text"/,
    );
    await model.destroy();
    // to a cache, the same embeddings of other texts are another encoder
    const file = join(folder, 'clip-texts', 'texts.safetensors');
    await writeTextTable(file, { ...kept, texts: kept.texts.toReversed() });
    const turned = await openImageTextModel(device, join(folder, 'clip-texts'));
    expect(turned.textSide().digest()).not.toBe(side.digest());
    await turned.destroy();
    await writeTextTable(file, kept);
  });

  test('takes them of a file, and says so where its width or texts do not fit', async () => {
    const own = await readTextTable(join(folder, 'clip-texts', 'texts.safetensors'));
    const file = join(folder, 'texts.safetensors');
    await writeTextTable(file, own);
    const from = (dims: number) => [`zeroshot.texts=${file}`, `model.head={name: projection, dims: ${dims}}`];
    await train('file-texts', from(16));
    expect((await weightsOf('file-texts')).tensors).toEqual((await weightsOf('clip-texts')).tensors);
    await expect(train('wide', from(8))).rejects.toThrow(
      /gives texts 16 values, the head compares 8: set model.head.dims to 16/,
    );
    await writeTextTable(file, { ...own, texts: own.texts.map((text) => `${text}!`) });
    await expect(train('strange', from(16))).rejects.toThrow(/has no embedding for 7 of 7 texts/);
  });

  test('refuses labels of unseen findings in tables and in weights to start from', async () => {
    await expect(train('seen', ['zeroshot.unseen=[striped]'])).rejects.toThrow(
      /data: knows labels of striped, and the run is declared zero-shot for these/,
    );
    // however the column spells the finding
    await expect(train('seen', ['zeroshot.unseen=[" Striped"]'])).rejects.toThrow(/knows labels of striped/);
    const weights = join(folder, 'words', 'best.safetensors');
    await expect(
      train('seen', ['zeroshot.unseen=[striped]', 'data.classes=[bright]', `model.weights=${weights}`]),
    ).rejects.toThrow(/best\.safetensors: knows labels of striped.*Start from other weights/);
  });

  test('may train on other classes first, of which it needs no prompts, and gives each stage its own texts', async () => {
    await writeTinyDataset(join(folder, 'first'), 24, ['framed', 'striped']);
    const stages = (head: string) =>
      `stages=[{data: {path: ${join(folder, 'first')}}, model: {head: linear}, schedule: {epochs: 1}}, {head: reset, model: {head: ${head}}, schedule: {epochs: 1}}]`;
    const projection = '{name: projection, dims: 16}';
    const summary = await train('staged', [stages(projection)]);
    expect(summary.zeroshot?.labelsRead).toEqual(['framed', 'striped', 'bright']);
    const file = join(folder, 'clip-texts', 'texts.safetensors');
    const fixed = [stages(projection), `zeroshot.texts=${file}`];
    await train('staged-fixed', fixed, { stopAfter: 6 });
    await train('staged-fixed', [], { resume: true });
    const embeddings = (await weightsOf('staged-fixed')).tensors.get(CLASS_EMBEDDINGS);
    expect(embeddings).toEqual((await weightsOf('clip-texts')).tensors.get(CLASS_EMBEDDINGS));
  });

  test('refuses labels of unseen findings in the data of any stage', async () => {
    await writeTinyDataset(join(folder, 'planted'), 24, ['bright', ' Dark']);
    const first = `{data: {path: ${join(folder, 'planted')}}}`;
    await expect(train('planted-run', [`stages=[${first}, {head: reset}]`])).rejects.toThrow(
      /planted: knows labels of +Dark, and the run is declared zero-shot for these/,
    );
  });

  test('refuses classes that have no prompts', async () => {
    await expect(train('unspoken', ['zeroshot.unseen=[goiter]'])).rejects.toThrow(
      /has no prompts for goiter/,
    );
  });

  test('is no model of images and texts where its head compares no texts', async () => {
    await train('linear', ['model.head=linear']);
    await expect(openImageTextModel(await testDevice(), join(folder, 'linear'))).rejects.toThrow(
      /its head \(linear\) compares images with no texts/,
    );
  });
});
