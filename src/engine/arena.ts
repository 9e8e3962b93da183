import type { Device } from './device.js';
import { OutOfMemoryError, ShapeError } from './errors.js';
import { byteLength, elementBytes, elementCount, type Shape, type TensorSpec } from './tensor.js';

/**
 * Many named tensors in few flat buffers. Parameters, their gradients and the optimizer's moments share one layout,
 * so that the gradient norm, an optimizer step, a checkpoint and an average between machines are each one operation
 * over a flat range. A layout is split into shards only where the adapter's binding limit forces it.
 */
export interface ArenaRange {
  readonly name: string;
  readonly shape: Shape;
  readonly shard: number;
  /** In elements from the start of the shard, a multiple of `RANGE_ALIGNMENT`. */
  readonly offset: number;
  readonly length: number;
}

/** Elements: 256 bytes of f16, the largest binding alignment that WebGPU allows an adapter to ask for. */
export const RANGE_ALIGNMENT = 128;

export class ArenaLayout {
  readonly ranges: ReadonlyMap<string, ArenaRange>;
  /** Elements of each shard. */
  readonly shards: readonly number[];

  /** @param tensors in the order in which they lie @param maxShardBytes the adapter's binding limit */
  constructor(tensors: readonly (TensorSpec & { name: string })[], maxShardBytes: number) {
    const ranges = new Map<string, ArenaRange>();
    const shards = [0];
    const maxElements = Math.floor(maxShardBytes / 4 / RANGE_ALIGNMENT) * RANGE_ALIGNMENT;
    for (const { name, shape, dtype } of tensors) {
      if (ranges.has(name)) throw new ShapeError(`two tensors of an arena are named "${name}"`);
      const length = elementCount(shape);
      const padded = Math.ceil(length / RANGE_ALIGNMENT) * RANGE_ALIGNMENT;
      if (padded > maxElements) {
        throw new OutOfMemoryError(
          `"${name}" [${shape}] takes ${byteLength({ shape, dtype })} bytes; this adapter binds at most ${maxShardBytes}`,
        );
      }
      let shard = shards.length - 1;
      if ((shards[shard] ?? 0) + padded > maxElements) shard = shards.push(0) - 1;
      const offset = shards[shard] ?? 0;
      ranges.set(name, { name, shape, shard, offset, length });
      shards[shard] = offset + padded;
    }
    this.ranges = ranges;
    this.shards = shards;
  }

  range(name: string): ArenaRange {
    const range = this.ranges.get(name);
    if (!range) throw new ShapeError(`the arena has no range "${name}"`);
    return range;
  }

  /** Name of the variable that stands for a whole shard; see `Arena.locate`. */
  static shardName(shard: number): string {
    return `shard:${shard}`;
  }

  get elements(): number {
    return this.shards.reduce((sum, elements) => sum + elements, 0);
  }
}

/** One set of buffers in a layout: the parameters, or their gradients, or a moment. */
export class Arena {
  private constructor(
    readonly name: string,
    readonly layout: ArenaLayout,
    readonly buffers: readonly GPUBuffer[],
    readonly device: Device,
    readonly dtype: 'f32' | 'f16',
  ) {}

  /** Zero-filled. An arena of f16 holds copies for kernels to read; the host neither reads nor writes it. */
  static async create(
    device: Device,
    name: string,
    layout: ArenaLayout,
    dtype: 'f32' | 'f16' = 'f32',
  ): Promise<Arena> {
    const buffers: GPUBuffer[] = [];
    for (const [shard, elements] of layout.shards.entries()) {
      buffers.push(await device.createBuffer(`${name} (shard ${shard})`, elements * elementBytes(dtype)));
    }
    return new Arena(name, layout, buffers, device, dtype);
  }

  /** Buffer and byte range of a tensor, or of a whole shard by `ArenaLayout.shardName`. */
  locate(name: string): { buffer: GPUBuffer; offset: number; bytes: number } {
    const whole = /^shard:(\d+)$/.exec(name);
    const range = whole
      ? { shard: Number(whole[1]), offset: 0, length: this.layout.shards[Number(whole[1])] ?? 0 }
      : this.layout.range(name);
    const buffer = this.buffers[range.shard];
    if (!buffer) throw new ShapeError(`arena ${this.name} has no ${name}`);
    const size = elementBytes(this.dtype);
    return { buffer, offset: range.offset * size, bytes: range.length * size };
  }

  write(name: string, values: Float32Array): void {
    const { buffer, offset, bytes } = this.locate(name);
    if (values.byteLength !== bytes) {
      throw new ShapeError(`${this.name}/${name} holds ${bytes / 4} values, got ${values.length}`);
    }
    this.device.write(buffer, offset, values);
  }

  async read(name: string): Promise<Float32Array> {
    const { buffer, offset, bytes } = this.locate(name);
    return new Float32Array(await this.device.read(buffer, offset, bytes));
  }

  /** Every tensor, by one read-back a shard. */
  async readAll(): Promise<Map<string, Float32Array>> {
    const shards: ArrayBuffer[] = [];
    for (const [shard, buffer] of this.buffers.entries()) {
      shards.push(await this.device.read(buffer, 0, (this.layout.shards[shard] ?? 0) * 4));
    }
    const tensors = new Map<string, Float32Array>();
    for (const { name, shard, offset, length } of this.layout.ranges.values()) {
      tensors.set(name, new Float32Array(shards[shard] ?? new ArrayBuffer(0), offset * 4, length));
    }
    return tensors;
  }

  /** Bytes on the device. */
  get bytes(): number {
    return this.layout.elements * elementBytes(this.dtype);
  }

  destroy(): void {
    for (const buffer of this.buffers) buffer.destroy();
  }
}
