import { afterAll, describe, expect, test } from 'vitest';
import { compile, planProgram } from '../../../src/engine/compile.js';
import type { Device } from '../../../src/engine/device.js';
import { OutOfMemoryError } from '../../../src/engine/errors.js';
import { elementCount, Graph, type Shape, type Tensor } from '../../../src/engine/graph/tensor.js';
import { Random } from '../../../src/engine/random.js';
import { selfAttention } from '../../../src/kernels/attention/attention.js';
import { grad } from '../../../src/kernels/common/grad.js';
import { conv2d, matmul } from '../../../src/kernels/conv/conv.js';
import { normaliseGrey, unpackGrey } from '../../../src/kernels/image/grey.js';
import { gather } from '../../../src/kernels/lookup/gather.js';
import { lookup } from '../../../src/kernels/lookup/lookup.js';
import { add, dropout, gelu, mul, relu } from '../../../src/kernels/pointwise/pointwise-table.js';
import { scaledDotProductAttention } from '../../../src/kernels/product/attention.js';
import { max, mean, sum } from '../../../src/kernels/reduce/reduce.js';
import { concat, pad, permute, slice } from '../../../src/kernels/shape/movement.js';
import { averagePool2d, maxPool2d } from '../../../src/kernels/shape/pool.js';
import { reshape } from '../../../src/kernels/shape/reshape.js';
import { narrowDevice, testDevice } from '../../device.js';
import { relativeError } from '../../golden/digest.js';

const device = await testDevice();
/** About a sixth of the tensors below. */
const LIMIT = 16384;
const narrow = await narrowDevice(LIMIT);
afterAll(async () => {
  await narrow.idle();
  narrow.close();
});

interface Outcome {
  readonly values: readonly Float32Array[];
  /** Ops that were computed in parts. */
  readonly cut: ReadonlySet<string>;
}

async function run(
  on: Device,
  shapes: readonly Shape[],
  build: (inputs: readonly Tensor[], graph: Graph) => readonly Tensor[],
  memory?: number,
): Promise<Outcome> {
  const graph = new Graph();
  const random = new Random(3, 'rows');
  const feeds: Record<string, Float32Array> = {};
  const inputs = shapes.map((shape, i) => {
    feeds[`x${i}`] = Float32Array.from({ length: elementCount(shape) }, () => random.normal());
    return graph.input(`x${i}`, shape);
  });
  const outputs = build(inputs, graph);
  const program = await compile(on, { graph, outputs, memory });
  if (memory !== undefined) expect(program.recomputation?.recomputed).toBeGreaterThan(0);
  const words = [...graph.inputs].filter(([, { dtype }]) => dtype === 'u32');
  for (const [name, { shape }] of words) {
    const values = Uint32Array.from({ length: elementCount(shape) }, (_, i) => (i * 7919) % 5);
    program.run({ [name]: values });
  }
  program.run(feeds);
  const values: Float32Array[] = [];
  for (const output of outputs) values.push(await program.read(output));
  const cut = new Set(
    program.rows.filter(({ variant }) => / in \d+ parts$/.test(variant)).map(({ op }) => op),
  );
  program.destroy();
  return { values, cut };
}

/** y, and the gradients of Σ y² by the inputs. */
function withGradients(build: (inputs: readonly Tensor[], graph: Graph) => Tensor) {
  return (inputs: readonly Tensor[], graph: Graph): Tensor[] => {
    const y = build(inputs, graph);
    return [y, ...grad(sum(mul(y, y)), inputs)];
  };
}

const at = <T>(list: readonly T[], i: number): T => list[i]!;
const IMAGES: Shape = [12, 16, 16, 8];

const CASES: readonly {
  readonly name: string;
  readonly shapes: readonly Shape[];
  readonly build: (inputs: readonly Tensor[], graph: Graph) => Tensor;
  readonly cut: readonly string[];
}[] = [
  {
    name: 'a convolution with bias and activation',
    shapes: [IMAGES, [3, 3, 8, 4], [4]],
    build: ([x, w, b]) => relu(add(conv2d(x!, w!, { padding: 1 }), b!)),
    cut: ['conv2d', 'conv2dInputGradient', 'conv2dWeightBiasGradient'],
  },
  {
    name: 'a strided convolution, whose result is whole',
    shapes: [IMAGES, [2, 2, 8, 4]],
    build: ([x, w]) => conv2d(x!, w!, { stride: 4 }),
    cut: ['conv2d', 'conv2dInputGradient', 'conv2dWeightGradient'],
  },
  {
    name: 'a linear layer on tokens',
    shapes: [[24, 14, 16], [16, 32], [32]],
    build: ([x, w, b]) => gelu(add(reshape(matmul(reshape(x!, [336, 16]), w!), [24, 14, 32]), b!)),
    cut: ['conv2d', 'conv2dInputGradient', 'conv2dWeightBiasGradient'],
  },
  {
    name: 'the largest of each channel, and means of rows',
    shapes: [IMAGES],
    build: ([x]) => add(max(x!, [0, 1, 2]), mean(x!, [0, 1, 2])),
    cut: ['reduce'],
  },
  {
    name: 'rows that begin where nothing can be bound',
    shapes: [[12, 21, 21, 3]],
    build: ([x]) => mul(mean(gelu(x!), [1, 2]), 2),
    cut: ['pointwise', 'reduce'],
  },
  {
    name: 'pooling',
    shapes: [IMAGES],
    build: ([x]) =>
      add(
        maxPool2d(x!, { kernel: 3, stride: 2, padding: 1 }),
        averagePool2d(x!, { kernel: 3, stride: 2, padding: 1 }),
      ),
    cut: ['maxPool2d', 'maxPool2dGradient', 'averagePool2d', 'averagePool2dGradient'],
  },
  {
    name: 'attention',
    shapes: [[12, 14, 48]],
    build: ([x]) => selfAttention(x!, { heads: 2 }),
    cut: ['attention', 'attentionSlope'],
  },
  {
    name: 'attention with its weights in memory',
    shapes: [
      [12, 2, 32, 4],
      [12, 2, 32, 4],
      [12, 2, 32, 4],
    ],
    build: ([q, k, v]) => scaledDotProductAttention(q!, k!, v!),
    cut: ['bmm', 'exponentialSum', 'pointwise'],
  },
  {
    name: 'moved elements',
    shapes: [IMAGES, [12, 16, 16, 4]],
    build: ([x, z]) =>
      pad(
        slice(permute(concat([x!, z!], 3), [0, 3, 1, 2]), [0, 1, 0, 2], [12, 9, 16, 12]),
        [0, 0, 1, 0],
        [0, 1, 0, 0],
      ),
    cut: ['concat', 'permute', 'slice', 'pad'],
  },
  {
    name: 'lookup and gather',
    shapes: [
      [5, 64],
      [32, 5, 64],
    ],
    build: ([table, x], graph) => {
      const ids = graph.input('ids', [32, 5], 'u32');
      const numbers = graph.input('numbers', [32, 5, 64], 'u32');
      return add(lookup(table!, ids), gather(x!, 1, numbers));
    },
    cut: ['lookup', 'lookupSlope', 'gather', 'gatherSlope'],
  },
];

describe('tensors beyond a binding are computed in rows', () => {
  test.each(CASES)('$name', async ({ shapes, build, cut }) => {
    const [whole, parts] = [
      await run(device, shapes, withGradients(build)),
      await run(narrow, shapes, withGradients(build)),
    ];
    expect(whole.cut.size).toBe(0);
    for (const op of cut) expect(parts.cut, op).toContain(op);
    for (const [i, values] of whole.values.entries()) {
      expect(relativeError(at(parts.values, i), values), `result ${i}`).toBeLessThan(1e-5);
    }
  });

  test('an op that only needs its rows gives the same bits: dropout draws the same mask', async () => {
    const build = ([x]: readonly Tensor[], graph: Graph) => {
      const seed = graph.constant(Uint32Array.of(7, 11), [2]);
      return [dropout(x!, seed, { p: 0.3, stream: 2 }), maxPool2d(x!, { kernel: 2 })];
    };
    const [whole, parts] = [await run(device, [IMAGES], build), await run(narrow, [IMAGES], build)];
    expect([...parts.cut].sort()).toEqual(['maxPool2d', 'pointwise']);
    expect(parts.values).toEqual(whole.values);
  });

  test('pictures from packed integers', async () => {
    const build = (_: readonly Tensor[], graph: Graph) => {
      const words = graph.input('words', [(12 * 32 * 16) / 4], 'u32');
      return [normaliseGrey(unpackGrey(words, [12, 32, 16], 8), { channels: 3, mean: [0.5], std: [0.2] })];
    };
    const [whole, parts] = [await run(device, [], build), await run(narrow, [], build)];
    expect([...parts.cut].sort()).toEqual(['pointwise', 'unpackGrey']);
    expect(parts.values).toEqual(whole.values);
  });

  test('values are computed twice in the same rows, to the same bits', async () => {
    const build = withGradients(([x, w]) => {
      let y = x!;
      for (let i = 0; i < 6; i++) y = gelu(conv2d(y, w!));
      return y;
    });
    const shapes = [IMAGES, [1, 1, 8, 8]] as const;
    const kept = await run(narrow, shapes, build);
    const graph = new Graph();
    const outputs = build(
      shapes.map((shape, i) => graph.input(`x${i}`, shape)),
      graph,
    );
    const { bytes } = planProgram(narrow, { graph, outputs });
    const again = await run(narrow, shapes, build, Math.floor(bytes.total * 0.9));
    expect(again.values).toEqual(kept.values);
  });

  test('the first value that is not finite is found in its piece', async () => {
    const graph = new Graph();
    const x = graph.input('x', IMAGES);
    const program = await compile(narrow, { graph, outputs: [gelu(mul(x, x))] });
    const values = new Float32Array(elementCount(IMAGES));
    values[7 * 2048 + 5] = 1e30;
    values[9 * 2048] = 1e30;
    const found = await program.examine({ x: values });
    expect(found).toMatchObject({ tensor: { shape: IMAGES }, nan: 0, infinite: 2, first: 7 * 2048 + 5 });
    program.destroy();
  });

  test('an op that cannot be cut: which, and the tensor', async () => {
    const build = ([x]: readonly Tensor[], graph: Graph) =>
      graph.scope('head', () => [permute(gelu(x!), [1, 0, 2])]);
    await expect(run(narrow, [[16, 32, 16]], build)).rejects.toThrow(OutOfMemoryError);
    await expect(run(narrow, [[16, 32, 16]], build)).rejects.toThrow(
      /head\.pointwise \[16, 32, 16\] f32 needs 32 KiB at once, this adapter binds at most 16 KiB, and head\.permute cannot/,
    );
  });

  test('an image that is too large by itself', async () => {
    const build = ([x, w]: readonly Tensor[]) => [conv2d(gelu(x!), w!, { padding: 1 })];
    await expect(
      run(
        narrow,
        [
          [2, 32, 32, 8],
          [3, 3, 8, 4],
        ],
        build,
      ),
    ).rejects.toThrow(/\[2, 32, 32, 8\] f32 needs 64 KiB at once.*1 of its 2 rows are too large/);
  });
});
