import { describe, expect, test } from 'vitest';
import { type GreyPixels, greyPixels } from '../../src/data/images/prepare.js';
import { compile } from '../../src/engine/compile.js';
import { Graph } from '../../src/engine/graph/tensor.js';
import { Random } from '../../src/engine/random.js';
import { defineModel } from '../../src/models/model.js';
import { createWeightArenas } from '../../src/models/weight-arenas.js';
import type { ImageFormat } from '../../src/predict/image-input.js';
import { InferenceProgram } from '../../src/predict/inference-program.js';
import { ViewScorer } from '../../src/predict/views/view-scorer.js';
import { viewsOf } from '../../src/predict/views/views.js';
import { freshWeights } from '../../src/weights/initial-weights.js';
import { greyValues, normalised } from '../data/images/reference-images.js';
import { testDevice } from '../device.js';
import { relativeError } from '../golden/digest.js';
import { referenceViews } from './views/reference-views.js';

const [BATCH, HEIGHT, WIDTH, CLASSES] = [3, 19, 17, 4];
const colour: ImageFormat = {
  size: [HEIGHT, WIDTH],
  bits: 8,
  channels: 3,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};
const grey: ImageFormat = { ...colour, bits: 16, channels: 1, mean: [0.5], std: [0.25] };

function picturesOf({ bits }: ImageFormat): GreyPixels {
  const random = new Random(1, 'inference', bits);
  return greyPixels(bits, BATCH * HEIGHT * WIDTH).map(() => random.int(2 ** bits));
}

/** A small network with its weights on the device. */
async function network({ channels }: ImageFormat) {
  const device = await testDevice();
  const definition = defineModel({
    arch: 'resnet10',
    classes: CLASSES,
    stem: 'small-stride2',
    width: 4,
    inChannels: channels,
  });
  const arenas = await createWeightArenas(device, definition, freshWeights(definition, 0));
  return { device, definition, arenas };
}

/** Logits of normalised images, without anything that the program does before the network. */
async function logitsOfImages(
  { device, definition, arenas }: Awaited<ReturnType<typeof network>>,
  images: Float32Array,
): Promise<Float32Array> {
  const graph = new Graph();
  const shape = [BATCH, HEIGHT, WIDTH, images.length / (BATCH * HEIGHT * WIDTH)];
  const { logits } = definition.trace(graph, graph.input('images', shape), 'eval');
  const program = await compile(device, { graph, outputs: [logits], arenas: { ...arenas } });
  program.run({ images });
  const values = await program.read(logits);
  program.destroy();
  return values;
}

describe.each([
  ['8-bit pixels in three channels', colour],
  ['16-bit pixels in one', grey],
])('a network fed with %s, whose batch ends within a word', (_, preprocessing) => {
  const pixels = picturesOf(preprocessing);

  test('scores views on the device as it scores float64 views of normalised images', async () => {
    expect(pixels.byteLength % 4).not.toBe(0);
    const own = await network(preprocessing);
    const program = await InferenceProgram.create(own.device, {
      ...own,
      preprocessing,
      batchSize: BATCH,
      views: true,
    });
    const images = normalised(greyValues(pixels), preprocessing);
    const shape = [HEIGHT, WIDTH, preprocessing.channels] as const;
    for (const set of ['medium', 'flip-scale'] as const) {
      const expected: Float32Array[] = [];
      for (const seen of referenceViews(set, images, shape)) {
        expected.push(await logitsOfImages(own, Float32Array.from(seen)));
      }
      for (const [v, view] of viewsOf(set).entries()) {
        expect(relativeError(await program.logits(pixels, view), expected[v]!)).toBeLessThan(1e-5);
      }
      expect(relativeError(expected[1]!, expected[0]!)).toBeGreaterThan(1e-3);
      const scorer = new ViewScorer(program, { set, merge: 'logit-mean' });
      const mean = expected[0]!.map((_, i) =>
        expected.reduce((sum, each) => sum + each[i]! / expected.length, 0),
      );
      expect(relativeError(await scorer.logits(pixels), mean)).toBeLessThan(1e-5);
    }
    expect(await program.logits(pixels)).toEqual(await program.logits(pixels, viewsOf('none')[0]));
    program.destroy();
    for (const arena of Object.values(own.arenas)) arena.destroy();
  });

  test('without views has no kernel for them, and padding changes no other image’s scores', async () => {
    const own = await network(preprocessing);
    const options = { ...own, preprocessing, batchSize: BATCH };
    const program = await InferenceProgram.create(own.device, options);
    const ops = (each: InferenceProgram) => each.rows.map(({ op }) => op);
    expect(ops(program)).toContain('unpackGrey');
    expect(ops(program)).not.toContain('viewGrey');
    const logits = await program.logits(pixels);
    const expected = await logitsOfImages(
      own,
      Float32Array.from(normalised(greyValues(pixels), preprocessing)),
    );
    expect(relativeError(logits, expected)).toBeLessThan(1e-5);
    const padded = greyPixels(preprocessing.bits, pixels.length);
    padded.set(pixels.subarray(0, HEIGHT * WIDTH));
    expect((await program.logits(padded)).slice(0, CLASSES)).toEqual(logits.slice(0, CLASSES));

    expect(await program.logits(pixels, viewsOf('flip')[0])).toEqual(logits);
    await expect(program.logits(pixels, viewsOf('flip')[1])).rejects.toThrow(
      'The program was made without views: make it with `views: true`.',
    );
    await expect(program.logits(pixels.slice(1))).rejects.toThrow(
      '968 pixels are no batch of 3 pictures of 19 × 17.',
    );
    const other = greyPixels(preprocessing.bits === 8 ? 16 : 8, pixels.length);
    await expect(program.probabilities(other)).rejects.toThrow(
      `pixels of ${24 - preprocessing.bits} bits, where the preprocessing has ${preprocessing.bits}`,
    );
    const seeing = await InferenceProgram.create(own.device, { ...options, views: true });
    expect(ops(seeing).filter((op) => op === 'viewGrey')).toHaveLength(1);
    for (const each of [program, seeing]) each.destroy();
    for (const arena of Object.values(own.arenas)) arena.destroy();
  });
});

test('batches and views that are asked for at once have the scores of those that are waited for', async () => {
  const own = await network(grey);
  const options = { ...own, preprocessing: grey, batchSize: BATCH, views: true };
  const program = await InferenceProgram.create(own.device, options);
  const random = new Random(3, 'batches');
  const batches = Array.from({ length: 6 }, () =>
    greyPixels(16, BATCH * HEIGHT * WIDTH).map(() => random.int(2 ** 16)),
  );
  const asked = batches.flatMap((pixels) => viewsOf('flip').map((view) => [pixels, view] as const));
  const singly: Float32Array[] = [];
  for (const [pixels, view] of asked) singly.push(await program.logits(pixels, view));
  expect(new Set(singly.map((scores) => scores.join())).size).toBe(asked.length);
  expect(await Promise.all(asked.map(([pixels, view]) => program.logits(pixels, view)))).toEqual(singly);
  program.destroy();
});
