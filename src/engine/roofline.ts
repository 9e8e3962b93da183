import type { Device } from './device.js';
import { OutOfMemoryError } from './errors.js';
import type { KernelStep } from './graph/tensor.js';
import { measureResidentGroups } from './resident-groups.js';
import { bindStep } from './run/bindings.js';
import { recordCommands } from './run/commands.js';
import { type Clock, Stopwatch } from './run/stopwatch.js';

/**
 * The best rates of the adapter, measured on the open device in about a second (and the compilation of ten small kernels).
 * On a shared machine a time means little by itself; its relation to the same device's best in the same run means more.
 *
 * The model is the roofline (Williams, Waterman, Patterson 2009, doi:10.1145/1498765.1498785): a kernel of `flops` and
 * `bytes` cannot take less than the longer of flops / peak rate and bytes / bandwidth.
 */
export interface Roofline {
  /** Best multiply-add rate in f32, in 10⁹ floating-point operations a second (an fma is two). */
  readonly gflops: number;
  /** The same in f16; undefined where the device has no shader-f16. */
  readonly gflopsF16: number | undefined;
  /** Best copy: 10⁹ bytes read and written a second. */
  readonly gbps: number;
  /** Milliseconds that one more tiny dispatch adds to a pass, from submit to done. */
  readonly dispatchMs: number;
  /** Milliseconds that one more submit (of one tiny dispatch) adds. */
  readonly submitMs: number;
  /** Workgroups that compute at the same time, see `DeviceTraits.residentGroups`; measured on GPUs. */
  readonly residentGroups: number;
  /** How the rates were timed. */
  readonly clock: Clock;
  /** Every probe, the losers too. */
  readonly probes: readonly ProbeResult[];
}

export interface ProbeResult {
  readonly name: string;
  readonly kind: 'f32' | 'f16' | 'copy';
  /** GFLOP/s, or GB/s of a copy. */
  readonly rate: number;
}

/** The work of a kernel, in floating-point operations and bytes moved. */
export interface Work {
  readonly flops: number;
  readonly bytes: number;
}

/** Milliseconds that no kernel of this work can stay below, unless its operands come from a cache. */
export function leastMs({ gflops, gbps }: Pick<Roofline, 'gflops' | 'gbps'>, { flops, bytes }: Work): number {
  return Math.max(flops / gflops, bytes / gbps) / 1e6;
}

/** The part of the attainable rate that a kernel reached: 1 is the roof. */
export function rooflineShare(
  roofline: Pick<Roofline, 'gflops' | 'gbps'>,
  { ms, ...work }: Work & { readonly ms: number },
): number {
  return ms > 0 ? leastMs(roofline, work) / ms : 0;
}

/** @throws errors that the device reports */
export async function measureRoofline(device: Device): Promise<Roofline> {
  const stopwatch = await Stopwatch.create(device);
  const buffers: GPUBuffer[] = [];
  try {
    const probes: ProbeResult[] = [];
    const sink = await device.createBuffer('result of the multiply-add probe', LARGEST_GRID * 64 * 4);
    buffers.push(sink);
    for (const shape of fmaShapes(device)) {
      probes.push({ name: shape.name, kind: shape.type, rate: await fmaRate(stopwatch, shape, sink) });
    }
    const { from, to, bytes } = await copyBuffers(device);
    buffers.push(from, to);
    for (const shape of COPY_SHAPES) {
      probes.push({
        name: shape.name,
        kind: 'copy',
        rate: await copyRate(stopwatch, shape, from, to, bytes),
      });
    }
    const best = (kind: ProbeResult['kind']) =>
      Math.max(0, ...probes.filter((probe) => probe.kind === kind).map(({ rate }) => rate));
    return {
      gflops: best('f32'),
      gflopsF16: best('f16') || undefined,
      gbps: best('copy'),
      ...(await overheads(device, sink)),
      residentGroups:
        device.traits.kind === 'gpu' ? await measureResidentGroups(device) : device.traits.residentGroups,
      clock: stopwatch.clock,
      probes,
    };
  } finally {
    stopwatch.destroy();
    for (const buffer of buffers) buffer.destroy();
  }
}

/** Chains of multiply-adds that do not depend on each other: enough to fill the pipelines, few enough for registers. */
interface FmaShape {
  readonly name: string;
  readonly type: 'f32' | 'f16';
  readonly width: 1 | 2 | 4;
  readonly accumulators: number;
}

function fmaShapes(device: Device): FmaShape[] {
  const shape = (type: FmaShape['type'], width: FmaShape['width'], accumulators: number): FmaShape => ({
    name: `fma ${type}${width > 1 ? `×${width}` : ''}, ${accumulators} accumulators`,
    type,
    width,
    accumulators,
  });
  const f32 = [
    shape('f32', 1, 8),
    shape('f32', 1, 12),
    shape('f32', 1, 16),
    shape('f32', 4, 2),
    shape('f32', 4, 4),
  ];
  const f16 = [shape('f16', 2, 8), shape('f16', 4, 4)];
  return device.gpu.features.has('shader-f16') ? [...f32, ...f16] : f32;
}

/** Rounds of the probe's loop, and multiply-adds of each accumulator in a round (unrolled: loop control must not count). */
const ROUNDS = 256;
const UNROLLED = 8;
/** Workgroups: a software adapter is full with a few, a large GPU needs thousands. */
const SMALLEST_GRID = 64;
const LARGEST_GRID = 1 << 15;

/** The grid is grown until a run is long enough to be timed; then the best of a few runs counts. */
async function fmaRate(stopwatch: Stopwatch, shape: FmaShape, sink: GPUBuffer): Promise<number> {
  const { device } = stopwatch;
  const { accumulators, width } = shape;
  const flops = (grid: number) => 2 * accumulators * width * ROUNDS * UNROLLED * 64 * grid;
  for (let grid = SMALLEST_GRID; ; grid *= 4) {
    const command = await bindStep(device, shape.name, fmaStep(shape, grid), [{ buffer: sink }]);
    const record = (encoder: GPUCommandEncoder) => recordCommands(encoder, [{ command }]);
    const first = await stopwatch.time(record);
    if (first < LONG_ENOUGH && grid < LARGEST_GRID) continue;
    return flops(grid) / (await best(stopwatch, record)) / 1e6;
  }
}

function fmaStep({ type, width, accumulators }: FmaShape, grid: number): KernelStep & { kind: 'dispatch' } {
  const vector = width === 1 ? type : `vec${width}<${type}>`;
  const each = (line: (i: number) => string, separator = '') =>
    Array.from({ length: accumulators }, (_, i) => line(i)).join(separator);
  const sum = Array.from({ length: width }, (_, i) => (width === 1 ? 'all' : `all[${i}]`)).join(' + ');
  return {
    kind: 'dispatch',
    workgroups: [grid, 1, 1],
    bindings: [{ name: 'y', operand: { kind: 'output', index: 0 }, access: 'read_write', type: 'f32' }],
    ...(type === 'f16' && { enables: ['f16'] }),
    // The factor is below one and not known when compiling, so nothing overflows and nothing can be precomputed.
    code: `@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  let x = ${vector}(${type}(id.x % 64u) * 0.01);
  ${each((i) => `var a${i} = x + ${vector}(${i});`)}
  for (var round = 0u; round < ${ROUNDS}u; round++) {
    ${Array.from({ length: UNROLLED }, () => each((i) => `a${i} = fma(a${i}, x, x);`)).join('\n    ')}
  }
  let all = ${each((i) => `a${i}`, ' + ')};
  y[id.x] = f32(${sum});
}`,
  };
}

/** Vectors of four floats that a lane copies, one after another. */
interface CopyShape {
  readonly name: string;
  readonly vectors: number;
  /** Software adapters want a lane's vectors beside each other, GPUs want those of neighbouring lanes beside each other. */
  readonly order: 'lane by lane' | 'interleaved';
}

const COPY_SHAPES: readonly CopyShape[] = [
  { name: 'copy, 1 vec4 a lane', vectors: 1, order: 'lane by lane' },
  { name: 'copy, 2 consecutive vec4 a lane', vectors: 2, order: 'lane by lane' },
  { name: 'copy, 4 consecutive vec4 a lane', vectors: 4, order: 'lane by lane' },
  { name: 'copy, 4 interleaved vec4 a lane', vectors: 4, order: 'interleaved' },
];

/** Bytes of the copied buffer: beyond the caches of the device. */
const COPY_GPU = 256 * 2 ** 20;
const COPY_SOFTWARE = 64 * 2 ** 20;
const LEAST_COPY = 2 ** 20;

/** A source and a target, smaller ones where a full device has no room for large ones. */
async function copyBuffers(device: Device): Promise<{ from: GPUBuffer; to: GPUBuffer; bytes: number }> {
  let bytes = Math.min(
    device.traits.kind === 'gpu' ? COPY_GPU : COPY_SOFTWARE,
    device.traits.maxBindingBytes,
  );
  for (;;) {
    const made: GPUBuffer[] = [];
    try {
      const from = await device.createBuffer('source of the copy probe', bytes);
      made.push(from);
      return { from, to: await device.createBuffer('target of the copy probe', bytes), bytes };
    } catch (error) {
      for (const buffer of made) buffer.destroy();
      if (!(error instanceof OutOfMemoryError) || bytes <= LEAST_COPY) throw error;
      bytes /= 4;
    }
  }
}

async function copyRate(
  stopwatch: Stopwatch,
  { name, vectors, order }: CopyShape,
  from: GPUBuffer,
  to: GPUBuffer,
  bytes: number,
): Promise<number> {
  const { device } = stopwatch;
  const perGroup = 64 * vectors * 16;
  const groups = Math.floor(bytes / perGroup);
  const x = Math.min(groups, device.traits.maxWorkgroups);
  const y = Math.floor(groups / x);
  const index = (i: number) =>
    order === 'interleaved'
      ? `group * ${64 * vectors}u + lane + ${64 * i}u`
      : `(group * 64u + lane) * ${vectors}u + ${i}u`;
  const step: KernelStep & { kind: 'dispatch' } = {
    kind: 'dispatch',
    workgroups: [x, y, 1],
    bindings: [
      { name: 'x', operand: { kind: 'input', index: 0 }, access: 'read', type: 'vec4f' },
      { name: 'y', operand: { kind: 'output', index: 0 }, access: 'read_write', type: 'vec4f' },
    ],
    code: `@compute @workgroup_size(64) fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let group = id.x + id.y * ${x}u;
  ${Array.from({ length: vectors }, (_, i) => `y[${index(i)}] = x[${index(i)}];`).join('\n  ')}
}`,
  };
  const command = await bindStep(device, name, step, [{ buffer: from }, { buffer: to }]);
  const record = (encoder: GPUCommandEncoder) => recordCommands(encoder, [{ command }]);
  await stopwatch.time(record);
  return (2 * x * y * perGroup) / (await best(stopwatch, record)) / 1e6;
}

/** Milliseconds of a run from which timing it is fair. */
const LONG_ENOUGH = 4;
/** Milliseconds that the repetitions of one probe may take together. */
const PATIENCE = 60;

/** The shortest of a few runs: a slower run was disturbed by something else than the device's own limit. */
async function best(stopwatch: Stopwatch, record: (encoder: GPUCommandEncoder) => void): Promise<number> {
  let shortest = Number.POSITIVE_INFINITY;
  for (let runs = 0, total = 0; runs < 2 || (runs < 8 && total < PATIENCE); runs++) {
    const ms = await stopwatch.time(record);
    shortest = Math.min(shortest, ms);
    total += ms;
  }
  return shortest;
}

/** Dispatches, or submits, whose cost is told from the difference to one. */
const MANY = 128;

/** By wall time: dispatches and submits cost mostly the host's time, which timestamps do not see. */
async function overheads(device: Device, sink: GPUBuffer): Promise<{ dispatchMs: number; submitMs: number }> {
  const step: KernelStep & { kind: 'dispatch' } = {
    kind: 'dispatch',
    workgroups: [1, 1, 1],
    bindings: [{ name: 'y', operand: { kind: 'output', index: 0 }, access: 'read_write', type: 'f32' }],
    code: '@compute @workgroup_size(1) fn main() { y[0] += 1.0; }',
  };
  const command = await bindStep(device, 'a tiny dispatch', step, [{ buffer: sink }]);
  const time = async (submits: number, dispatches: number) => {
    let shortest = Number.POSITIVE_INFINITY;
    for (let run = 0; run < 3; run++) {
      const start = performance.now();
      for (let i = 0; i < submits; i++) {
        const encoder = device.gpu.createCommandEncoder();
        recordCommands(
          encoder,
          Array.from({ length: dispatches }, () => ({ command })),
        );
        device.gpu.queue.submit([encoder.finish()]);
      }
      await device.idle();
      shortest = Math.min(shortest, performance.now() - start);
    }
    return shortest;
  };
  const one = await time(1, 1);
  const dispatchMs = Math.max(0, (await time(1, MANY)) - one) / (MANY - 1);
  const submitMs = Math.max(0, (await time(MANY, 1)) - one) / (MANY - 1);
  return { dispatchMs, submitMs };
}
