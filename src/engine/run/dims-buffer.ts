import { type Device, roundUp } from '../device.js';
import type { Kernel } from '../graph/tensor.js';

/** Twice WebGPU's default alignment of uniform bindings: input gradients with strides have sizes for each residue. */
const SLOT_BYTES = 512;

/** The `dims` of all steps of a program, each at its own aligned place of one uniform buffer. */
export class DimsBuffer {
  readonly #values: Uint32Array;
  #used = 0;

  private constructor(
    readonly device: Device,
    readonly buffer: GPUBuffer,
    bytes: number,
  ) {
    this.#values = new Uint32Array(bytes / 4);
  }

  /** Bytes that the sizes of these kernels take. */
  static bytesFor(kernels: readonly Kernel[]): number {
    const steps = kernels.flatMap((kernel) => kernel.steps);
    return steps.filter((step) => step.kind === 'dispatch' && step.dims).length * SLOT_BYTES;
  }

  static async create(device: Device, bytes: number): Promise<DimsBuffer> {
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    return new DimsBuffer(device, await device.createBuffer('sizes of all steps', bytes, usage), bytes);
  }

  add(dims: Readonly<Record<string, number>>): GPUBindingResource {
    const values = Object.values(dims);
    if (values.length * 4 > SLOT_BYTES) throw new RangeError(`a step has at most ${SLOT_BYTES / 4} dims`);
    const offset = this.#used++ * SLOT_BYTES;
    this.#values.set(values, offset / 4);
    return { buffer: this.buffer, offset, size: roundUp(values.length * 4, 16) };
  }

  upload(): void {
    if (this.#values.length > 0) this.device.write(this.buffer, 0, this.#values);
  }
}
