import { describe, expect, test } from 'vitest';
import { Graph } from '../../../src/engine/graph/tensor.js';
import { bindHead, HEADS } from '../../../src/models/heads/registry.js';
import { ModelScope } from '../../../src/models/model-scope.js';
import { expectDigest, relativeError } from '../../golden/digest.js';
import { withNaN } from '../../golden/golden-files.js';
import {
  HEADED_NETWORKS,
  HEADS_ALONE,
  type HeadGolden,
  type HeadPass,
  hashMap,
} from '../../golden/heads-golden.js';
import { hashWeights } from '../../golden/model-golden.js';
import { runGolden, runPass } from '../run-golden.js';

/** The bound, as the L2 error of a tensor over its norm. */
const TOLERANCE = 1e-4;

describe('heads equal PyTorch', () => {
  for (const golden of HEADS_ALONE) {
    for (const mode of ['eval', 'train'] as const) {
      test(`${JSON.stringify(golden.head)} on [${golden.map}], ${mode}`, async () => {
        expectEqual(await runHead(golden, mode), golden[mode]);
      });
    }
  }

  test('every head that has parameters of its own is among them', () => {
    const covered = new Set(HEADS_ALONE.map(({ head }) => head.name));
    expect(HEADS.map(({ name }) => name).filter((name) => !covered.has(name))).toEqual(['linear']);
  });
});

describe('networks with these heads equal PyTorch', () => {
  for (const golden of HEADED_NETWORKS) {
    for (const mode of ['eval', 'train'] as const) {
      test(`${golden.arch} with ${JSON.stringify(golden.head)}, images [${golden.images}], ${mode}`, async () => {
        expectEqual(await runGolden(golden, mode), golden[mode]);
      });
    }
  }
});

type Result = Awaited<ReturnType<typeof runPass>>;

/** A head alone, in the place where a ResNet has its classifier. */
function runHead(golden: HeadGolden, mode: 'train' | 'eval'): Promise<Result> {
  const head = bindHead(golden.head);
  const trace = (graph: Graph) => {
    const map = graph.input('map', golden.map);
    const scope = new ModelScope(graph, { mode });
    const { classes, prompts } = golden;
    const output = head.trace(scope, map, { classes, prompts, classifier: { name: 'fc' } });
    return { ...output, map, scope };
  };
  const { scope: tensors } = trace(new Graph());
  return runPass({
    tensors,
    weights: hashWeights(tensors, golden.shapes),
    feeds: { map: hashMap(golden), targets: Float32Array.from(withNaN(golden.targets.flat())) },
    classes: golden.classes,
    trace(graph) {
      const { logits, embedding, map, scope } = trace(graph);
      const values = embedding ? { embedding } : {};
      return { logits, values, observed: scope.observed, inputs: { map } };
    },
  });
}

function expectEqual(actual: Result, expected: HeadPass): void {
  expect(relativeError(actual.logits, expected.logits.flat())).toBeLessThan(TOLERANCE);
  expect(Math.abs(actual.loss / expected.loss - 1)).toBeLessThan(TOLERANCE);
  for (const name of ['features', 'embedding'] as const) {
    const values = expected[name];
    if (values) expect(relativeError(actual.values.get(name)!, values.flat()), name).toBeLessThan(TOLERANCE);
  }
  const gradients = new Map([...actual.gradients].map(([name, { data }]) => [name, data as Float32Array]));
  for (const [name, gradient] of actual.inputGradients) gradients.set(name, gradient);
  for (const [name, digest] of Object.entries(expected.gradients)) {
    expectDigest(name, gradients.get(name)!, digest, TOLERANCE);
  }
  for (const [name, digest] of Object.entries(expected.runningStatistics ?? {})) {
    expectDigest(name, actual.running.get(name)!, digest, TOLERANCE);
  }
}
