import { describe, expect, test } from 'vitest';
import type { Tensor } from '../../src/engine/graph/tensor.js';
import { grad } from '../../src/kernels/common/grad.js';
import { conv2d, matmul } from '../../src/kernels/conv/conv.js';
import { batchNorm, batchNormInference } from '../../src/kernels/norm/batch-norm.js';
import { layerNorm } from '../../src/kernels/norm/layer-norm.js';
import { add, gelu, mul, relu, sigmoid } from '../../src/kernels/pointwise/pointwise-table.js';
import { sum } from '../../src/kernels/reduce/reduce.js';
import { softmax } from '../../src/kernels/reduce/softmax.js';
import { averagePool2d, globalAveragePool, maxPool2d } from '../../src/kernels/shape/pool.js';
import { evaluate } from '../device.js';
import { readGolden } from '../golden/golden-files.js';
import { expectClose } from './check-op.js';

/** Every op of make_ops.py, forward and backward, against PyTorch in float64. */
interface GoldenArray {
  readonly shape: number[];
  readonly data: number[];
}

interface GoldenCase {
  readonly op: string;
  readonly name: string;
  readonly attributes: Attributes;
  readonly inputs: Record<string, GoldenArray>;
  readonly outputs: Record<string, GoldenArray>;
  readonly outputGradients: Record<string, GoldenArray>;
  readonly gradients: Record<string, GoldenArray>;
}

interface Attributes {
  readonly stride: [number, number];
  readonly padding: [number, number, number, number];
  readonly dilation: [number, number];
  readonly kernel: [number, number];
  readonly groups: number;
  readonly epsilon: number;
  readonly runningMean: number[];
  readonly runningVariance: number[];
  readonly countIncludePad: boolean;
  readonly ceilMode: boolean;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

type Inputs = Record<'x' | 'w' | 'a' | 'gamma' | 'beta', Tensor> & { b?: Tensor };

const OPS: Record<string, (inputs: Inputs, attributes: Attributes) => Tensor> = {
  conv2d({ x, w, b }, { stride, padding, dilation, groups }) {
    const y = conv2d(x, w, { stride, padding, dilation, groups });
    return b ? add(y, b) : y;
  },
  matmul: ({ a, b }, { transposeA, transposeB }) => matmul(a, b!, { transposeA, transposeB }),
  batchNorm: ({ x, gamma, beta }, { epsilon }) => batchNorm(x, gamma, beta, { epsilon }).y,
  batchNormInference({ x, gamma, beta }, { epsilon, runningMean, runningVariance }) {
    const constant = (values: number[]) => x.graph.constant(Float32Array.from(values), [values.length]);
    const running = { mean: constant(runningMean), variance: constant(runningVariance), epsilon };
    return batchNormInference(x, gamma, beta, running);
  },
  layerNorm: ({ x, gamma, beta }, { epsilon }) => layerNorm(x, gamma, beta, { epsilon }),
  relu: ({ x }) => relu(x),
  sigmoid: ({ x }) => sigmoid(x),
  gelu: ({ x }) => gelu(x),
  softmax: ({ x }) => softmax(x),
  maxPool: ({ x }, { kernel, stride, padding }) => maxPool2d(x, { kernel, stride, padding: sides(padding) }),
  avgPool: ({ x }, { kernel, stride, padding, countIncludePad, ceilMode }) =>
    averagePool2d(x, { kernel, stride, padding: sides(padding), countIncludePad, ceilMode }),
  globalAvgPool: ({ x }) => globalAveragePool(x),
};

/** Of make_ops.py, but not part of the op set. */
const ABSENT = new Set(['geluTanh']);

const sides = ([top, , left]: [number, number, number, number]): [number, number] => [top, left];

describe('ops equal PyTorch, forward and backward', () => {
  const { cases } = readGolden<{ cases: GoldenCase[] }>('ops.json.gz');
  for (const golden of cases.filter(({ op }) => !ABSENT.has(op))) {
    test(`${golden.op}: ${golden.name}`, async () => {
      const build = OPS[golden.op]!;
      expect(build, `no op for ${golden.op}`).toBeDefined();
      const names = Object.keys(golden.inputs);
      const arriving = golden.outputGradients.y!;
      const arrays = [...names.map((name) => golden.inputs[name]!), arriving];
      const differentiable = names.filter((name) => golden.gradients[name]);
      const [y, ...gradients] = await evaluate(
        arrays.map(({ shape, data }) => ({ shape, values: Float32Array.from(data) })),
        (tensors) => {
          const inputs = Object.fromEntries(names.map((name, i) => [name, tensors[i]!])) as Inputs;
          const output = build(inputs, golden.attributes);
          const weighted = sum(mul(output, tensors.at(-1)!));
          return [
            output,
            ...grad(
              weighted,
              differentiable.map((name) => inputs[name as 'x']),
            ),
          ];
        },
      );
      // Offsets of 100 under a variance of 1 cost two digits of any float32 input.
      const tolerance = golden.name === 'offset 100' ? 1e-4 : 1e-5;
      expectClose(y!, golden.outputs.y!.data, tolerance, 'forward');
      for (const [i, name] of differentiable.entries()) {
        expectClose(gradients[i]!, golden.gradients[name]!.data, tolerance, `gradient of ${name}`);
      }
    });
  }
});
