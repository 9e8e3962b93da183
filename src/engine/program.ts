import { type Location, type Plan, resolve } from './compile.js';
import { type Device, roundUp, storageUsage } from './device.js';
import { KernelError, ShapeError } from './errors.js';
import { type OpTime, Profiler } from './profile.js';
import {
  at,
  type Binding,
  byteLength,
  describe,
  type Graph,
  type KernelStep,
  type Problem,
  type Scratch,
  type Tensor,
} from './tensor.js';

/** Values for the graph's inputs, by name. */
export type Feeds = Readonly<Record<string, Float32Array | Uint32Array>>;

/** A row of `explain()`: what an op costs, and after a profiled run how long it took. */
export interface PlanRow {
  readonly label: string;
  readonly op: string;
  readonly shape: string;
  readonly variant: string;
  readonly dispatches: number;
  readonly flops: number;
  readonly bytes: number;
}

type Encoded =
  | {
      readonly kind: 'dispatch';
      readonly pipeline: GPUComputePipeline;
      readonly group: GPUBindGroup;
      readonly grid: readonly [number, number, number];
    }
  | {
      readonly kind: 'copy';
      readonly from: GPUBuffer;
      readonly fromOffset: number;
      readonly to: GPUBuffer;
      readonly toOffset: number;
      readonly bytes: number;
    }
  | {
      readonly kind: 'texture';
      readonly from: GPUBuffer;
      readonly offset: number;
      readonly bytes: number;
      readonly to: GPUTexture;
    };

/**
 * A compiled graph: one `run` is one command buffer and one submit, with nothing allocated and nothing read back.
 * Programs of one device run in the order of their `run` calls.
 */
export class Program {
  /** Bytes of the memory plan's buffers: the peak of all intermediates. Known before the first run. */
  readonly peakBytes: number;
  readonly rows: readonly PlanRow[];
  readonly #device: Device;
  readonly #graph: Graph;
  readonly #steps: readonly { readonly row: number; readonly step: Encoded }[];
  readonly #locate: (tensor: Tensor) => { buffer: GPUBuffer; offset: number };
  readonly #records: readonly Tensor[];
  readonly #history: GPUBuffer | undefined;
  readonly #capacity: number;
  readonly #owned: readonly (GPUBuffer | GPUTexture)[];
  #recorded = 0;

  private constructor(parts: {
    device: Device;
    graph: Graph;
    rows: readonly PlanRow[];
    steps: readonly { row: number; step: Encoded }[];
    locate: (tensor: Tensor) => { buffer: GPUBuffer; offset: number };
    records: readonly Tensor[];
    history: GPUBuffer | undefined;
    capacity: number;
    owned: readonly (GPUBuffer | GPUTexture)[];
    peakBytes: number;
  }) {
    this.#device = parts.device;
    this.#graph = parts.graph;
    this.rows = parts.rows;
    this.#steps = parts.steps;
    this.#locate = parts.locate;
    this.#records = parts.records;
    this.#history = parts.history;
    this.#capacity = parts.capacity;
    this.#owned = parts.owned;
    this.peakBytes = parts.peakBytes;
  }

  /** Allocates the plan's buffers and builds all pipelines, side by side where the driver can. */
  static async create(
    device: Device,
    options: { plan: Plan; graph: Graph; records: readonly Tensor[]; recordCapacity: number },
  ): Promise<Program> {
    const { plan, graph, records, recordCapacity } = options;
    const buffers: GPUBuffer[] = [];
    for (const [index, bytes] of plan.memory.buffers.entries()) {
      buffers.push(await device.createBuffer(`intermediates ${index}`, bytes));
    }
    const textures = new TexturePool(device);
    const dims = await DimsBuffer.create(device, plan);
    const place = (location: Location): { buffer: GPUBuffer; offset: number; bytes: number } => {
      if (location.kind === 'external') return location;
      const { buffer, offset } = at(plan.memory.places, location.lifetime);
      return { buffer: at(buffers, buffer), offset, bytes: location.bytes };
    };

    const rows: PlanRow[] = [];
    const pending: Promise<{ row: number; step: Encoded }>[] = [];
    for (const action of plan.actions) {
      const row = rows.length;
      if (action.kind === 'copy') {
        const from = place(plan.locate(action.from));
        const to = place(plan.locate(action.to));
        const bytes = byteLength(action.from);
        rows.push({
          label: action.label,
          op: 'store',
          shape: describe(action.from),
          variant: 'copy',
          dispatches: 0,
          flops: 0,
          bytes: 2 * bytes,
        });
        const step: Encoded = {
          kind: 'copy',
          from: from.buffer,
          fromOffset: from.offset,
          to: to.buffer,
          toOffset: to.offset,
          bytes,
        };
        pending.push(Promise.resolve({ row, step }));
        continue;
      }
      const { node, kernel, variant } = action.chosen;
      rows.push(
        describeRow(
          node.label,
          node.op.name,
          variant,
          { inputs: node.inputs, outputs: node.outputs, attributes: node.attributes },
          node.op,
          kernel.steps,
        ),
      );
      const scratchTextures = kernel.scratch.map((need, slot) =>
        need.kind === 'texture' ? textures.get(need, slot) : undefined,
      );
      for (const step of kernel.steps) {
        if (step.kind === 'texture-copy') {
          const source = place(resolve(step.from, node, action.scratch, plan.locate));
          const texture = scratchTextures[step.to];
          if (!texture) throw new KernelError(`${node.label}: scratch ${step.to} is not a texture`);
          pending.push(
            Promise.resolve({
              row,
              step: {
                kind: 'texture',
                from: source.buffer,
                offset: source.offset,
                bytes: source.bytes,
                to: texture,
              },
            }),
          );
          continue;
        }
        const resources = step.bindings.map((binding): GPUBindingResource => {
          if (binding.access === 'texture') {
            const texture =
              binding.operand.kind === 'scratch' ? scratchTextures[binding.operand.index] : undefined;
            if (!texture)
              throw new KernelError(`${node.label}: ${binding.name} is bound as a texture but is none`);
            return texture.createView();
          }
          const { buffer, offset, bytes } = place(
            resolve(binding.operand, node, action.scratch, plan.locate),
          );
          return { buffer, offset, size: roundUp(bytes, 16) };
        });
        if (step.dims) resources.push(dims.add(step.dims));
        pending.push(encode(device, node.label, step, resources).then((encoded) => ({ row, step: encoded })));
      }
    }
    const steps = await Promise.all(pending);
    dims.upload();

    const history =
      records.length > 0
        ? await device.createBuffer('recorded scalars', records.length * recordCapacity * 4, storageUsage())
        : undefined;
    return new Program({
      device,
      graph,
      rows,
      steps,
      locate: (tensor) => place(plan.locate(tensor)),
      records,
      history,
      capacity: recordCapacity,
      owned: [...buffers, ...textures.all, dims.buffer, ...(history ? [history] : [])],
      peakBytes: plan.memory.buffers.reduce((sum, bytes) => sum + bytes, 0) + textures.bytes,
    });
  }

  /**
   * Writes the inputs and submits the whole program. Returns at once; errors surface at the next `read`, `history` or
   * `Device.idle`. Inputs that are not fed keep what they held.
   */
  run(feeds: Feeds = {}): void {
    this.#feed(feeds);
    const encoder = this.#device.gpu.createCommandEncoder();
    let pass: GPUComputePassEncoder | undefined;
    for (const { step } of this.#steps) {
      if (step.kind === 'dispatch') {
        pass ??= encoder.beginComputePass();
        dispatch(pass, step);
      } else {
        pass?.end();
        pass = undefined;
        copy(encoder, step);
      }
    }
    pass?.end();
    this.#record(encoder);
    this.#device.gpu.queue.submit([encoder.finish()]);
  }

  /** Like `run`, one pass a kernel with timestamps; resolves to the time of each row of `rows`. */
  async profile(feeds: Feeds = {}): Promise<OpTime[]> {
    this.#feed(feeds);
    const profiler = await Profiler.create(this.#device, this.#steps.length);
    const encoder = this.#device.gpu.createCommandEncoder();
    for (const { step, row } of this.#steps) {
      if (step.kind === 'dispatch') {
        const pass = encoder.beginComputePass({ timestampWrites: profiler.span(row) });
        dispatch(pass, step);
        pass.end();
      } else {
        copy(encoder, step);
      }
    }
    this.#record(encoder);
    profiler.resolve(encoder);
    this.#device.gpu.queue.submit([encoder.finish()]);
    return profiler.times(this.rows);
  }

  /** The value of one of `CompileOptions.outputs` (or of a variable) after the last run. */
  async read(tensor: Tensor): Promise<Float32Array> {
    const { buffer, offset } = this.#locate(tensor);
    return new Float32Array(await this.#device.read(buffer, offset, byteLength(tensor)));
  }

  /** The recorded scalars of every run since the last call: one row a run, in the order of `records`. */
  async history(): Promise<number[][]> {
    const runs = this.#recorded;
    this.#recorded = 0;
    if (!this.#history || runs === 0) return [];
    const width = this.#records.length;
    const values = new Float32Array(await this.#device.read(this.#history, 0, runs * width * 4));
    return Array.from({ length: runs }, (_, i) => [...values.subarray(i * width, (i + 1) * width)]);
  }

  /** Runs since the last `history()`; the caller reads before this reaches the capacity. */
  get recordedRuns(): number {
    return this.#recorded;
  }

  destroy(): void {
    for (const resource of this.#owned) resource.destroy();
  }

  #feed(feeds: Feeds): void {
    this.#device.assertUsable();
    for (const [name, values] of Object.entries(feeds)) {
      const tensor = this.#graph.inputs.get(name);
      if (!tensor)
        throw new ShapeError(
          `the program has no input "${name}": it has ${[...this.#graph.inputs.keys()].join(', ')}`,
        );
      const expected = tensor.dtype === 'f32' ? Float32Array : Uint32Array;
      if (!(values instanceof expected) || values.byteLength !== byteLength(tensor)) {
        throw new ShapeError(
          `input "${name}" is ${describe(tensor)}, got ${values.length} values of ${values.constructor.name}`,
        );
      }
      const { buffer, offset } = this.#locate(tensor);
      this.#device.write(buffer, offset, values);
    }
  }

  #record(encoder: GPUCommandEncoder): void {
    if (!this.#history) return;
    if (this.#recorded >= this.#capacity) {
      throw new RangeError(
        `the history holds ${this.#capacity} runs: read it with history() before running on`,
      );
    }
    const row = this.#recorded++ * this.#records.length;
    for (const [i, tensor] of this.#records.entries()) {
      const { buffer, offset } = this.#locate(tensor);
      encoder.copyBufferToBuffer(buffer, offset, this.#history, (row + i) * 4, 4);
    }
  }
}

function dispatch(pass: GPUComputePassEncoder, step: Encoded & { kind: 'dispatch' }): void {
  pass.setPipeline(step.pipeline);
  pass.setBindGroup(0, step.group);
  pass.dispatchWorkgroups(...step.grid);
}

function copy(encoder: GPUCommandEncoder, step: Exclude<Encoded, { kind: 'dispatch' }>): void {
  if (step.kind === 'copy') {
    encoder.copyBufferToBuffer(step.from, step.fromOffset, step.to, step.toOffset, step.bytes);
    return;
  }
  // Whole rows, then what is left of the last one.
  const { width, height } = step.to;
  const rows = Math.min(height, Math.floor(step.bytes / (width * 16)));
  const rest = rows < height ? Math.floor((step.bytes % (width * 16)) / 16) : 0;
  const bytesPerRow = width * 16;
  const source = { buffer: step.from, bytesPerRow };
  if (rows > 0)
    encoder.copyBufferToTexture({ ...source, offset: step.offset }, { texture: step.to }, [width, rows]);
  if (rest > 0) {
    const offset = step.offset + rows * bytesPerRow;
    encoder.copyBufferToTexture({ ...source, offset }, { texture: step.to, origin: [0, rows] }, [rest, 1]);
  }
}

async function encode(
  device: Device,
  label: string,
  step: KernelStep & { kind: 'dispatch' },
  resources: readonly GPUBindingResource[],
): Promise<Encoded> {
  const { workgroups, bindings } = step;
  if (workgroups.some((count) => count < 1 || count > device.traits.maxWorkgroups)) {
    throw new KernelError(
      `${label}: a grid of [${workgroups}] workgroups is beyond ${device.traits.maxWorkgroups}`,
    );
  }
  const entries = bindings.map((binding, index) => layoutEntry(binding, index));
  if (step.dims) {
    entries.push({
      binding: entries.length,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: 'uniform' },
    });
  }
  const code = `${(step.enables ?? []).map((name) => `enable ${name};\n`).join('')}${declare(bindings, step.dims)}${step.code}`;
  const pipeline = await device.createPipeline(label, code, { entries });
  const group = device.gpu.createBindGroup({
    label,
    layout: pipeline.getBindGroupLayout(0),
    entries: resources.map((resource, binding) => ({ binding, resource })),
  });
  return { kind: 'dispatch', pipeline, group, grid: workgroups };
}

function layoutEntry(binding: Binding, index: number): GPUBindGroupLayoutEntry {
  const visibility = GPUShaderStage.COMPUTE;
  if (binding.access === 'texture') {
    return { binding: index, visibility, storageTexture: { access: 'read-only', format: 'rgba32float' } };
  }
  const type = binding.access === 'read' ? 'read-only-storage' : 'storage';
  return { binding: index, visibility, buffer: { type } };
}

/** The WGSL declarations of a step's bindings and sizes, so that no kernel counts binding numbers or offsets. */
function declare(bindings: readonly Binding[], dims: Readonly<Record<string, number>> | undefined): string {
  const operands = bindings.map(({ name, access, type }, index) =>
    access === 'texture'
      ? `@group(0) @binding(${index}) var ${name}: texture_storage_2d<rgba32float, read>;\n`
      : `@group(0) @binding(${index}) var<storage, ${access}> ${name}: array<${type}>;\n`,
  );
  if (dims) {
    const fields = Object.keys(dims).map((name) => `${name}: u32`);
    operands.push(`struct Dims { ${fields.join(', ')} }\n`);
    operands.push(`@group(0) @binding(${bindings.length}) var<uniform> dims: Dims;\n`);
  }
  return operands.join('');
}

function describeRow(
  label: string,
  name: string,
  variant: string,
  problem: Problem,
  op: { flops(problem: Problem): number; bytes?(problem: Problem): number },
  steps: readonly KernelStep[],
): PlanRow {
  const bytes =
    op.bytes?.(problem) ??
    [...problem.inputs, ...problem.outputs].reduce((sum, spec) => sum + byteLength(spec), 0);
  return {
    label,
    op: name,
    shape: `${problem.inputs.map((spec) => `[${spec.shape}]`).join(' ')} → ${problem.outputs.map((spec) => `[${spec.shape}]`).join(' ')}`,
    variant,
    dispatches: steps.filter((step) => step.kind === 'dispatch').length,
    flops: op.flops(problem),
    bytes,
  };
}

/** Scratch textures, shared by all kernels that want the same size in the same slot: kernels run one after another. */
class TexturePool {
  readonly all: GPUTexture[] = [];
  readonly #textures = new Map<string, GPUTexture>();
  bytes = 0;

  constructor(readonly device: Device) {}

  get(need: Scratch & { kind: 'texture' }, slot: number): GPUTexture {
    const key = `${slot}:${need.width}x${need.height}`;
    let texture = this.#textures.get(key);
    if (!texture) {
      texture = this.device.gpu.createTexture({
        label: `scratch texture ${key}`,
        size: [need.width, need.height],
        format: 'rgba32float',
        usage: GPUTextureUsage.STORAGE_BINDING | GPUTextureUsage.COPY_DST,
      });
      this.#textures.set(key, texture);
      this.all.push(texture);
      this.bytes += need.width * need.height * 16;
    }
    return texture;
  }
}

/** The `dims` of all steps of a program, each at its own aligned place of one uniform buffer. */
class DimsBuffer {
  readonly #values: Uint32Array;
  #used = 0;

  private constructor(
    readonly device: Device,
    readonly buffer: GPUBuffer,
    slots: number,
  ) {
    this.#values = new Uint32Array((slots * DIMS_BYTES) / 4);
  }

  static async create(device: Device, plan: Plan): Promise<DimsBuffer> {
    let slots = 0;
    for (const action of plan.actions) {
      if (action.kind === 'kernel')
        slots += action.chosen.kernel.steps.filter((step) => step.kind === 'dispatch').length;
    }
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    return new DimsBuffer(
      device,
      await device.createBuffer('sizes of all steps', slots * DIMS_BYTES, usage),
      slots,
    );
  }

  add(dims: Readonly<Record<string, number>>): GPUBindingResource {
    const values = Object.values(dims);
    if (values.length * 4 > DIMS_BYTES) throw new RangeError(`a step has at most ${DIMS_BYTES / 4} dims`);
    const offset = this.#used++ * DIMS_BYTES;
    this.#values.set(values, offset / 4);
    return { buffer: this.buffer, offset, size: roundUp(values.length * 4, 16) };
  }

  upload(): void {
    if (this.#values.length > 0) this.device.write(this.buffer, 0, this.#values);
  }
}

/** WebGPU's default alignment of uniform bindings. */
const DIMS_BYTES = 256;
