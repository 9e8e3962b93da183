import { formatByteSize } from '../text/byte-size.js';
import { DeviceLostError, KernelError, OutOfMemoryError } from './errors.js';
import type { AdapterKind, DeviceTraits } from './graph/tensor.js';
import { type MatrixInfo, matrixShapes } from './matrix-shapes.js';
import { type Lent, Staging } from './staging.js';

/**
 * One GPU device: memory, pipelines, reading back, and errors with names. Everything WebGPU-specific that the rest of
 * the engine needs passes through here; how the adapter was found does not (see src/platform).
 */
export interface DeviceOptions {
  /** See `adapterKind` of src/platform. */
  readonly kind: AdapterKind;
  /**
   * Waits for a promise of the GPU without starving a software adapter of the core it computes on. In node, a pending
   * `mapAsync` spins the event loop; src/platform/node passes a throttled wait.
   */
  readonly wait?: <T>(promise: Promise<T>) => Promise<T>;
  /** Choose and plan kernels as for a GPU, whatever the adapter: to test what a GPU would run. */
  readonly asGpu?: boolean;
  /** See `DeviceTraits.residentGroups`; absent: the usual number of such an adapter. */
  readonly residentGroups?: number;
}

/** What a plan needs to know of a device: enough to plan for one that is not there. */
export type PlanTarget = Pick<Device, 'traits' | 'description'>;

/** Bytes on their way to the host, see `Device.readBack`. */
export interface ReadBack {
  readonly buffer: GPUBuffer;
  /** To be called once, after the submit of the commands that fill the buffer. */
  values(): Promise<ArrayBuffer>;
}

export class Device {
  readonly gpu: GPUDevice;
  /** The adapter's own description, e.g. of the driver; for reports and cache keys. */
  readonly description: string;
  readonly #wait: <T>(promise: Promise<T>) => Promise<T>;
  readonly #staging: Staging;
  #traits: DeviceTraits;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  #failure: Error | undefined;
  #closed = false;

  constructor(gpu: GPUDevice, info: GPUAdapterInfo, options: DeviceOptions) {
    this.gpu = gpu;
    this.#staging = new Staging(gpu);
    this.#traits = readTraits(gpu, info, options);
    this.description = [info.vendor, info.architecture, info.device, info.description]
      .filter(Boolean)
      .join(' ');
    this.#wait = options.wait ?? ((promise) => promise);
    gpu.addEventListener('uncapturederror', (event) => {
      this.#failure ??= toTypedError(event.error);
    });
    void gpu.lost.then((lost) => {
      if (!this.#closed) this.#failure = new DeviceLostError(`the GPU device was lost: ${lost.message}`);
    });
  }

  get traits(): DeviceTraits {
    return this.#traits;
  }

  /**
   * Plans made from here on take these for the traits of the device, such as those that were measured when a run began:
   * another number of workgroups would be another order of sums.
   */
  assume(traits: Partial<DeviceTraits>): void {
    this.#traits = { ...this.#traits, ...traits };
  }

  /** Zero-initialised storage. `label` names its contents in the error that says that memory ran out. */
  async createBuffer(label: string, bytes: number, usage = storageUsage()): Promise<GPUBuffer> {
    this.assertUsable();
    const limit = this.gpu.limits.maxBufferSize;
    if (bytes > limit) throw new OutOfMemoryError(tooLarge(label, bytes, limit));
    this.gpu.pushErrorScope('out-of-memory');
    const buffer = this.gpu.createBuffer({ label, size: roundUp(Math.max(bytes, 16), 16), usage });
    const error = await this.#wait(this.gpu.popErrorScope());
    if (error) throw new OutOfMemoryError(noMemory(label, bytes, error));
    return buffer;
  }

  /** `label` names the op in the error when the driver refuses the shader. */
  createPipeline(
    label: string,
    code: string,
    layout: GPUBindGroupLayoutDescriptor,
  ): Promise<GPUComputePipeline> {
    this.assertUsable();
    const key = `${code}\n${JSON.stringify(layout.entries)}`;
    let pipeline = this.#pipelines.get(key);
    if (!pipeline) {
      pipeline = this.#wait(this.#compile(label, code, layout));
      this.#pipelines.set(key, pipeline);
    }
    return pipeline;
  }

  async #compile(
    label: string,
    code: string,
    layout: GPUBindGroupLayoutDescriptor,
  ): Promise<GPUComputePipeline> {
    // The compilation messages tell the errors of a shader; the scope keeps them from being reported twice.
    this.gpu.pushErrorScope('validation');
    const module = this.gpu.createShaderModule({ label, code });
    const bindGroupLayout = this.gpu.createBindGroupLayout(layout);
    const descriptor: GPUComputePipelineDescriptor = {
      label,
      layout: this.gpu.createPipelineLayout({ bindGroupLayouts: [bindGroupLayout] }),
      compute: { module, entryPoint: 'main' },
    };
    // SwiftShader's code runs 1.7 times slower where one of Dawn's threads compiles it instead of this one.
    const inPlace = this.traits.adapter === 'swiftshader';
    const building = inPlace
      ? this.gpu.createComputePipeline(descriptor)
      : this.gpu.createComputePipelineAsync(descriptor);
    const scope = this.gpu.popErrorScope();
    try {
      const pipeline = await building;
      const refusal = await scope;
      if (refusal) throw new KernelError(refusal.message);
      return pipeline;
    } catch (error) {
      await scope;
      const { messages } = await module.getCompilationInfo();
      const lines = code.split('\n');
      const reasons = messages
        .filter(({ type }) => type === 'error')
        .map(
          ({ lineNum, message }) => `line ${lineNum}: ${message}\n    ${lines[lineNum - 1]?.trim() ?? ''}`,
        );
      if (reasons.length === 0) reasons.push(error instanceof Error ? error.message : String(error));
      throw new KernelError(`the driver refused the kernel of ${label}: ${reasons.join('\n')}`, {
        cause: error,
      });
    }
  }

  write(buffer: GPUBuffer, offset: number, data: Float32Array | Uint32Array): void {
    this.assertUsable();
    this.gpu.queue.writeBuffer(buffer, offset, data.buffer, data.byteOffset, data.byteLength);
  }

  /**
   * Copies `bytes` out of a buffer, as they are after all that was submitted before the call. The copy is submitted at
   * once: work that is submitted while the caller waits for the bytes neither changes nor delays them.
   */
  async read(buffer: GPUBuffer, offset: number, bytes: number): Promise<ArrayBuffer> {
    const back = this.readBack(`read-back of ${buffer.label}`, bytes);
    const encoder = this.gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, offset, back.buffer, 0, roundUp(bytes, 4));
    // Where memory is short, the copy is refused as well; only the shortage is to be told.
    this.gpu.pushErrorScope('validation');
    this.gpu.queue.submit([encoder.finish()]);
    const refusal = this.gpu.popErrorScope();
    try {
      return await back.values();
    } catch (error) {
      const refused = error instanceof OutOfMemoryError ? null : await refusal.catch(() => null);
      throw refused ? toTypedError(refused) : error;
    }
  }

  /**
   * A buffer that commands may copy `bytes` into, to be read by the host once they are submitted. Later submits are not
   * waited for.
   */
  readBack(label: string, bytes: number): ReadBack {
    this.assertUsable();
    const limit = this.gpu.limits.maxBufferSize;
    if (bytes > limit) throw new OutOfMemoryError(tooLarge(label, bytes, limit));
    const lent = this.#staging.take(label, bytes);
    return { buffer: lent.buffer, values: () => this.#valuesOf(lent, label, bytes) };
  }

  async #valuesOf(lent: Lent, label: string, bytes: number): Promise<ArrayBuffer> {
    const { buffer, shortage } = lent;
    const size = roundUp(bytes, 4);
    try {
      await this.#settle(buffer.mapAsync(GPUMapMode.READ, 0, size));
    } catch (error) {
      buffer.destroy();
      const short = await shortage.catch(() => null);
      throw short ? new OutOfMemoryError(noMemory(label, bytes, short)) : error;
    }
    const values = buffer.getMappedRange(0, size).slice(0, bytes);
    buffer.unmap();
    this.#staging.giveBack(lent);
    return values;
  }

  /** Resolves when all submitted work is done. Throws the first error that the device reported meanwhile. */
  async idle(): Promise<void> {
    this.assertUsable();
    await this.#settle(this.gpu.queue.onSubmittedWorkDone());
  }

  async #settle<T>(promise: Promise<T>): Promise<T> {
    try {
      const value = await this.#wait(promise);
      this.assertUsable();
      return value;
    } catch (error) {
      // The loss of a device rejects what is pending before `lost` resolves: give it a turn.
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.assertUsable();
      throw error;
    }
  }

  /** Throws the first error that the device reported since it was opened. */
  assertUsable(): void {
    if (this.#closed) throw new DeviceLostError('the device was closed');
    if (this.#failure) throw this.#failure;
  }

  /** Frees the device and everything on it. Later calls throw `DeviceLostError`. */
  close(): void {
    this.#closed = true;
    this.gpu.destroy();
  }
}

function tooLarge(label: string, bytes: number, limit: number): string {
  return `${label} needs ${formatByteSize(bytes)}, a buffer of this adapter holds ${formatByteSize(limit)}`;
}

function noMemory(label: string, bytes: number, { message }: GPUError): string {
  return `no memory for ${label} (${formatByteSize(bytes)}): ${message}`;
}

export function storageUsage(): number {
  return GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
}

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

function readTraits(
  gpu: GPUDevice,
  info: GPUAdapterInfo,
  {
    kind: adapter,
    asGpu = adapter === 'gpu',
    residentGroups = asGpu ? USUAL_RESIDENT_GROUPS : 2,
  }: DeviceOptions,
): DeviceTraits {
  const fixedSubgroups = gpu.features.has('subgroups') && info.subgroupMinSize === info.subgroupMaxSize;
  const { limits } = gpu;
  return {
    kind: asGpu ? 'gpu' : 'software',
    adapter,
    subgroupSize: fixedSubgroups ? info.subgroupMinSize : 0,
    maxBindings: limits.maxStorageBuffersPerShaderStage,
    maxBindingBytes: Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize),
    maxBufferBytes: limits.maxBufferSize,
    maxTextureSide: limits.maxTextureDimension2D,
    maxWorkgroupBytes: limits.maxComputeWorkgroupStorageSize,
    maxInvocations: limits.maxComputeInvocationsPerWorkgroup,
    maxWorkgroups: limits.maxComputeWorkgroupsPerDimension,
    bindingAlignment: limits.minStorageBufferOffsetAlignment,
    f16: gpu.features.has('shader-f16'),
    residentGroups,
    matrices: matrixShapes(gpu.features, info as MatrixInfo),
  };
}

/** Of a mid-range GPU: 64 processors with room for four workgroups each. */
const USUAL_RESIDENT_GROUPS = 256;

function toTypedError(error: GPUError): Error {
  if (error instanceof GPUOutOfMemoryError) return new OutOfMemoryError(error.message);
  return new KernelError(error.message);
}
