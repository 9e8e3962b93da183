import { describe, expect, test } from 'vitest';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { defineModel } from '../../../src/models/model.js';
import {
  CONVNEXT_GOLDENS,
  type ConvNeXtGolden,
  LARGE_CONVNEXT_GOLDEN,
} from '../../golden/convnext-golden.js';
import { expectDigest, relativeError } from '../../golden/digest.js';
import { runGolden } from '../run-golden.js';

/** The bound, as the L2 error of a tensor over its norm. */
const TOLERANCE = 1e-4;

/** Base has 88 million parameters, whose gradients are read back. */
const TIMEOUT = 400_000;

async function expectPyTorch(golden: ConvNeXtGolden): Promise<void> {
  const expected = golden.eval;
  const actual = await runGolden(golden, 'train');
  expect(relativeError(actual.logits, expected.logits.flat())).toBeLessThan(TOLERANCE);
  expect(relativeError(actual.values.get('features')!, expected.features.flat())).toBeLessThan(TOLERANCE);
  expect(Math.abs(actual.loss / expected.loss - 1)).toBeLessThan(TOLERANCE);
  expect([...actual.gradients.keys()]).toEqual(Object.keys(expected.gradients));
  for (const [name, digest] of Object.entries(expected.gradients)) {
    expectDigest(name, actual.gradients.get(name)!.data as Float32Array, digest, TOLERANCE);
  }
}

describe('ConvNeXts equal PyTorch: logits, features, loss, every parameter gradient', () => {
  for (const golden of CONVNEXT_GOLDENS) {
    test(`${golden.arch}, images [${golden.images}]`, () => expectPyTorch(golden), TIMEOUT);
  }

  const { arch, images } = LARGE_CONVNEXT_GOLDEN;
  test.skipIf(!process.env.TAILRAY_LARGE_TESTS)(
    `${arch}, images [${images}] (a minute and 4 GB: only with TAILRAY_LARGE_TESTS=1)`,
    () => expectPyTorch(LARGE_CONVNEXT_GOLDEN),
    TIMEOUT,
  );
});

test('a stem of another family is refused with those that there are', () => {
  expect(() => defineModel({ arch: 'convnext_atto', classes: 3, stem: 'small' })).toThrow(
    'convnext_atto has no stem "small"; model.stem may be patch, overlap, overlap_tiered',
  );
});

test('images too small to be halved are refused', () => {
  const graph = new Graph();
  const images = graph.input('images', [1, 40, 31, 1]);
  expect(() => defineModel({ arch: 'convnext_atto', classes: 3 }).trace(graph, images, 'eval')).toThrow(
    'at least 32 pixels a side, got 40 × 31',
  );
});
