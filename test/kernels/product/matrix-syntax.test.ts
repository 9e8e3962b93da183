import { describe, expect, test } from 'vitest';
import { create } from 'webgpu';
import type { Device } from '../../../src/engine/device.js';
import type {
  DeviceTraits,
  DType,
  MatrixShape,
  Problem,
  TensorSpec,
  Variant,
} from '../../../src/engine/graph/tensor.js';
import { MATRIX_FEATURES } from '../../../src/engine/matrix-shapes.js';
import { bindStep } from '../../../src/engine/run/bindings.js';
import { type ConvGeometry, convGeometry } from '../../../src/kernels/conv/conv-geometry.js';
import { directionsBy } from '../../../src/kernels/conv/conv-tile.js';
import { tiled } from '../../../src/kernels/product/bmm.js';
import { matrixTiles } from '../../../src/kernels/product/tile-matrix.js';
import { nodeGpuGlobals } from '../../../src/platform/node/dawn.js';
import { RDNA3 } from '../../gpus.js';
import { APPLE_F32, MATRICES } from './known-matrices.js';

/**
 * The tiles of small matrices as they run on matrix units, through all of Dawn's front end: its backend without a device
 * knows the extensions, types and rules, and compiles no further.
 */
await nodeGpuGlobals();
const dawn = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
// Dawn crashes when it is collected while a device of it lives.
Object.assign(globalThis, { keptAlive: dawn });
const adapter = await dawn.requestAdapter();
if (!adapter) throw new Error('Dawn has no null backend');
const gpu = await adapter.requestDevice({
  requiredFeatures: ['subgroups', 'shader-f16', ...MATRIX_FEATURES] as GPUFeatureName[],
});

async function errorsOf(code: string): Promise<string[]> {
  gpu.pushErrorScope('validation');
  const { messages } = await gpu.createShaderModule({ code }).getCompilationInfo();
  await gpu.popErrorScope();
  return messages
    .filter(({ type }) => type === 'error')
    .map(({ lineNum, message }) => `${lineNum}: ${message}`);
}

const directions = directionsBy(matrixTiles);

const g = convGeometry([2, 9, 10, 16], [3, 3, 16, 24], { padding: 1, stride: 2 });
const plain = convGeometry([1, 1, 90, 15], [1, 1, 15, 23]);

function problemsOf({ n, h, w, kh, kw, c, o, oh, ow, ...rest }: ConvGeometry, dtype: DType) {
  const attributes: ConvGeometry = { n, h, w, kh, kw, c, o, oh, ow, ...rest };
  const spec = (...shape: number[]): TensorSpec => ({ shape, dtype });
  const [x, weights, y] = [spec(n, h, w, c), spec(kh, kw, c, o), spec(n, oh, ow, o)];
  return {
    forward: { inputs: [x, weights], outputs: [y], attributes },
    inputGradient: { inputs: [y, weights], outputs: [x], attributes },
    weightGradient: { inputs: [x, y], outputs: [{ ...weights, dtype: 'f32' }], attributes },
  } satisfies Record<string, Problem<ConvGeometry>>;
}

async function checkAll<A>(
  variants: readonly Variant<A>[],
  problem: Problem<A>,
  traits: DeviceTraits,
): Promise<number> {
  let checked = 0;
  for (const variant of variants) {
    if (variant.unfit(problem, traits) !== undefined) continue;
    for (const step of variant.build(problem, traits).steps) {
      let code = '';
      const device = {
        traits,
        gpu: { createBindGroup: () => undefined },
        createPipeline: (_: string, wgsl: string) => {
          code = wgsl;
          return { getBindGroupLayout: () => undefined };
        },
      };
      if (step.kind !== 'dispatch') throw new Error('matrices need no textures');
      await bindStep(device as unknown as Device, variant.name, step, []);
      expect(await errorsOf(code), `${variant.name}\n${code}`).toEqual([]);
    }
    checked++;
  }
  return checked;
}

const shapes: Record<string, MatrixShape> = { ...MATRICES, 'Apple in f32': APPLE_F32 };

describe.each(Object.entries(shapes))('small matrices of %s', (_, matrix) => {
  const traits: DeviceTraits = { ...RDNA3, matrices: [matrix] };

  test.each(['forward', 'inputGradient', 'weightGradient'] as const)('%s', async (direction) => {
    for (const geometry of [g, plain]) {
      const problem = problemsOf(geometry, matrix.operands)[direction];
      expect(await checkAll(directions[direction], problem, traits)).toBeGreaterThan(1);
    }
  });

  test('bmm', async () => {
    const spec = (...shape: number[]): TensorSpec => ({ shape, dtype: matrix.operands });
    const attributes = { batch: 2, m: 72, k: 40, n: 64, transposeA: false, transposeB: true };
    const problem = { inputs: [spec(2, 72, 40), spec(2, 64, 40)], outputs: [spec(2, 72, 64)], attributes };
    expect(await checkAll(matrixTiles.map(tiled), problem, traits)).toBeGreaterThan(1);
  });
});
