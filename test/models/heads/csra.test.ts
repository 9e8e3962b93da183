import { expect, test } from 'vitest';
import { Graph, type Tensor } from '../../../src/engine/graph/tensor.js';
import { Random } from '../../../src/engine/random.js';
import { globalAveragePool } from '../../../src/kernels/shape/pool.js';
import { bindHead, type HeadChoice } from '../../../src/models/heads/registry.js';
import { ModelScope } from '../../../src/models/model-scope.js';
import { evaluate } from '../../device.js';
import { hashUniform } from '../../golden/hash-weights.js';
import { expectClose } from '../../kernels/check-op.js';
import { runPass } from '../run-golden.js';

/** Limits at which the heads become something simpler. */

const CLASSES = 5;
const MAP = [2, 3, 5, 6] as const;
const POSITIONS = 15;
const FEATURES = 6;

const map = hashUniform('map', 2 * POSITIONS * FEATURES);
const weight = hashUniform('weight', FEATURES * CLASSES);
const bias = hashUniform('bias', CLASSES);

/** The head's logits of the map (or its mean); every weight is `weight`, every bias `bias`, batch norm does nothing. */
async function logits(choice: HeadChoice): Promise<Float32Array> {
  const head = bindHead(choice);
  const trace = (scope: ModelScope, x: Tensor) =>
    head.trace(scope, head.reads === 'map' ? x : globalAveragePool(x), {
      classes: CLASSES,
      classifier: { name: 'fc' },
    });
  const dry = new ModelScope(new Graph(), { mode: 'eval' });
  trace(dry, dry.graph.input('map', MAP));
  const values = (name: string) =>
    name.startsWith('bn.')
      ? new Float32Array(FEATURES).fill({ weight: 1, running_var: 1 - 1e-5 }[name.slice(3)] ?? 0)
      : name.endsWith('bias')
        ? bias
        : weight;
  const named = (specs: readonly { name: string }[]) =>
    new Map(specs.map(({ name }) => [name, values(name)] as const));
  const result = await runPass({
    tensors: dry,
    weights: { parameters: named(dry.parameters), statistics: named(dry.statistics) },
    feeds: { map, targets: new Float32Array(2 * CLASSES) },
    classes: CLASSES,
    trace(graph) {
      const scope = new ModelScope(graph, { mode: 'eval' });
      return {
        ...trace(scope, graph.input('map', MAP)),
        values: {},
        observed: scope.observed,
      };
    },
  });
  return result.logits;
}

/** x·w_c / ‖w_c‖ of each image, class and position, in float64. */
function unitScores(image: number, c: number): number[] {
  const column = Array.from({ length: FEATURES }, (_, f) => weight[f * CLASSES + c]!);
  const norm = Math.hypot(...column);
  return Array.from({ length: POSITIONS }, (_, j) =>
    column.reduce((sum, w, f) => sum + (w * map[(image * POSITIONS + j) * FEATURES + f]!) / norm, 0),
  );
}

const perClass = (value: (scores: number[]) => number) =>
  [0, 1].flatMap((image) => Array.from({ length: CLASSES }, (_, c) => value(unitScores(image, c))));

const mean = (scores: number[]) => scores.reduce((a, b) => a + b) / POSITIONS;

test('without attention the paper’s head is the linear one', async () => {
  expectClose(await logits({ name: 'csra', lambda: 0 }), await logits('linear'), 1e-6);
});

test('without attention the original is the mean of unit scores, once for each head', async () => {
  for (const heads of [1, 8]) {
    const actual = await logits({ name: 'csra_original', heads, lambda: 0 });
    expectClose(
      actual,
      perClass((scores) => heads * mean(scores)),
      1e-6,
    );
  }
});

test('the second of two heads attends to the maximum alone', async () => {
  const lambda = 0.4;
  const two = await logits({ name: 'csra_original', heads: 2, lambda });
  const one = await logits({ name: 'csra_original', heads: 1, lambda });
  const actual = two.map((value, i) => value - one[i]!);
  expectClose(
    actual,
    perClass((scores) => mean(scores) + lambda * Math.max(...scores)),
    1e-5,
  );
});

test('dropout of channels is dropout of the pooled features', async () => {
  const random = new Random(1, 'dropout of channels');
  const seed = Uint32Array.of(random.uint32(), random.uint32());
  const [ofMap, ofFeatures] = await evaluate(
    [
      { shape: MAP, values: map },
      { shape: [2], values: seed },
    ],
    ([x, dropoutSeed], graph) => {
      // each in a scope of its own, so that both draw the first stream
      const scope = () => new ModelScope(graph, { mode: 'train', dropoutSeed });
      return [
        globalAveragePool(scope().channelDropout(x!, 0.5)),
        scope().dropout(globalAveragePool(x!), 0.5),
      ];
    },
  );
  expect(ofMap!.filter((value) => value === 0).length).toBeGreaterThan(0);
  expectClose(ofMap!, ofFeatures!, 1e-6);
});

test('options out of range and unknown heads are refused', () => {
  expect(() => bindHead('cosine')).toThrow('there is no head "cosine"; there are linear, csra');
  expect(() => bindHead({ name: 'csra', lamda: 1 })).toThrow(/head "csra": .*lamda/);
  expect(() => bindHead({ name: 'csra_original', heads: 3 })).toThrow(/head "csra_original": heads/);
  expect(bindHead('csra_original').settings).toEqual({ name: 'csra_original', heads: 1, lambda: 0.1 });
});
