import { beforeAll, describe, expect, it } from 'vitest';
import { BenchError } from '../../../bench/bench-error.js';
import { check } from '../../../bench/shaders/check.js';
import { type NullDevice, openNullDevice } from '../../../bench/shaders/driver/null-device.js';
import { gpuOf } from '../../../bench/shaders/gpu.js';
import { compileAll, judge } from '../../../bench/shaders/judge.js';
import { type Kernel, model } from '../../../bench/shaders/model.js';
import { obstacleHere } from '../../../bench/shaders/tally.js';
import { nodeGpuGlobals } from '../../../src/platform/node/dawn.js';

const obstacle = obstacleHere();

/** More sums than a lane has registers, all of which are alive in a loop. */
const SUMS = Array.from({ length: 280 }, (_, i) => i);
const SPILLING = `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
${SUMS.map((i) => `  var v${i} = x[id.x + ${i}u];`).join('\n')}
  for (var k = 0u; k < 100u; k++) {
    let w = x[k * 64u + id.x];
${SUMS.map((i) => `    v${i} = fma(v${i}, w, ${i}.5);`).join('\n')}
  }
${SUMS.map((i) => `  y[id.x * ${SUMS.length}u + ${i}u] = v${i};`).join('\n')}
}`;

const MATRICES = `
enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
enable subgroup_size_control;
@group(0) @binding(0) var<storage, read> a: array<f16>;
@group(0) @binding(1) var<storage, read_write> c: array<f32>;
struct Dims { depth: u32 }
@group(0) @binding(2) var<uniform> dims: Dims;
@compute @workgroup_size(64) @subgroup_size(32) fn main() {
  var sum: subgroup_matrix_result<f32, 16, 16>;
  for (var k = 0u; k < dims.depth; k += 16u) {
    let left = subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, row_major>(&a, k, dims.depth);
    let right = subgroupMatrixLoad<subgroup_matrix_right<f16, 16, 16>, col_major>(&a, k, dims.depth);
    sum = subgroupMatrixMultiplyAccumulate(left, right, sum);
  }
  subgroupMatrixStore<row_major>(&c, 0u, sum, 16u);
}`;

describe.skipIf(obstacle !== undefined)(
  `the null device${obstacle ? `: ${obstacle.skipped[0]?.reason}` : ''}`,
  () => {
    const gpu = gpuOf('NAVI31');
    let device: NullDevice;

    beforeAll(async () => {
      await nodeGpuGlobals();
      device = openNullDevice(gpu.family);
    });

    async function compiled(code: string): Promise<Kernel> {
      const kernel = (await compileAll(new Map([['planted', { code }]]), device)).get('planted');
      if (!kernel || kernel instanceof BenchError) throw kernel ?? new Error('nothing was compiled');
      return kernel;
    }

    it('tells of a planted kernel that it spills, and the check fails', async () => {
      const kernel = await compiled(SPILLING);
      const work = { grid: [1, 1, 1], dims: [], bytes: 0 } as const;
      const modelled = model(kernel, work, gpu);
      const dispatch = {
        action: 0,
        op: 'planted',
        label: '',
        shape: '',
        variant: 'spilling',
        step: 0,
        steps: 1,
        shader: { code: SPILLING, layout: { entries: [] } },
        flops: 0,
        leastBytes: 0,
        ...work,
      };
      const dispatches = [{ dispatch, key: 'planted', kernel, modelled, roofSeconds: 0 }];
      const { failures } = check(
        { programs: [{ program: 'net', dispatches, roofSeconds: 0, refused: 0 }], refused: [] },
        undefined,
      );
      expect(failures).toEqual([expect.stringMatching(/^net: planted spilling .*Spilled VGPRs: [1-9]/)]);
    });

    it('compiles products of subgroup matrices to matrix instructions, with their real trips', async () => {
      const kernel = await compiled(MATRICES);
      expect(kernel.compiled.assembly).toContain('v_wmma_f32_16x16x16_f16');
      expect(kernel.compiled.waveLanes).toBe(32);
      const { flops, guesses } = model(kernel, { grid: [1, 1, 1], dims: [256], bytes: 0 }, gpu);
      expect(guesses).toBe(0);
      // two waves, 256 deep
      expect(flops).toBe(2 * 2 * 16 * 16 * 256);
    });

    it('says why Dawn refuses a kernel', async () => {
      await expect(compiled('@compute @workgroup_size(1) fn main() { let x: f32 = 1u; }')).rejects.toThrow(
        /u32/,
      );
    });

    it('judges a whole training step: every dispatch compiles, and arithmetic is what the ops say', async () => {
      const { programs, refused } = await judge(['resnet18'], {
        gpu,
        device,
        wanted: ({ op }) => op === 'conv2d',
      });
      expect(refused).toEqual([]);
      const { dispatches } = programs[0]!;
      const whole = dispatches.find(({ dispatch }) =>
        /\[8,64,64,3\] .*→ \[8,32,32,64\]/.test(dispatch.shape),
      )!;
      expect(whole.dispatch.flops).toBeGreaterThan(0);
      // tiles compute a little beyond the edges
      expect(whole.modelled.flops / whole.dispatch.flops).toBeGreaterThanOrEqual(1);
      expect(whole.modelled.flops / whole.dispatch.flops).toBeLessThan(1.5);
      expect(whole.modelled.seconds).toBeGreaterThan(whole.roofSeconds);
    });
  },
);
