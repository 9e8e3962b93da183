import type { Device } from './device.js';
import { OutOfMemoryError, ShapeError } from './errors.js';
import {
  byteLength,
  type DType,
  elementBytes,
  elementCount,
  type Graph,
  type Shape,
  type Tensor,
  type TensorSpec,
} from './graph/tensor.js';

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
  /** How many shards, from the first, hold the tensors that are no resting ones. */
  readonly leading: number;

  /**
   * @param tensors in the order in which they lie @param maxShardBytes the adapter's binding limit
   * @param resting tensors that lie behind them in shards of their own, so that an operation over the leading shards
   *   leaves these alone: frozen parameters. The leading shards are those of a layout of `tensors` by themselves
   */
  constructor(
    tensors: readonly (TensorSpec & { name: string })[],
    maxShardBytes: number,
    resting: readonly (TensorSpec & { name: string })[] = [],
  ) {
    const ranges = new Map<string, ArenaRange>();
    const shards = [0];
    let leading = tensors.length > 0 || resting.length === 0 ? 1 : 0;
    const maxElements = Math.floor(maxShardBytes / 4 / RANGE_ALIGNMENT) * RANGE_ALIGNMENT;
    for (const [index, { name, shape, dtype }] of [...tensors, ...resting].entries()) {
      if (ranges.has(name)) throw new ShapeError(`two tensors of an arena are named "${name}"`);
      const length = elementCount(shape);
      const padded = Math.ceil(length / RANGE_ALIGNMENT) * RANGE_ALIGNMENT;
      if (padded > maxElements) {
        throw new OutOfMemoryError(
          `"${name}" [${shape}] takes ${byteLength({ shape, dtype })} bytes; this adapter binds at most ${maxShardBytes}`,
        );
      }
      let shard = shards.length - 1;
      const begins = index === tensors.length && index > 0;
      if (begins || (shards[shard] ?? 0) + padded > maxElements) shard = shards.push(0) - 1;
      if (index < tensors.length) leading = shards.length;
      const offset = shards[shard] ?? 0;
      ranges.set(name, { name, shape, shard, offset, length });
      shards[shard] = offset + padded;
    }
    this.ranges = ranges;
    this.shards = shards;
    this.leading = leading;
  }

  /** Whether a tensor lies behind the leading shards. */
  rests(name: string): boolean {
    return this.range(name).shard >= this.leading;
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

  /** Variables that stand for the shards of an arena whose leading shards are laid out like this. */
  shardVariables(graph: Graph, arena: string, dtype: DType = 'f32'): Tensor[] {
    return this.shards.map((elements, shard) =>
      graph.variable(arena, ArenaLayout.shardName(shard), [elements], dtype),
    );
  }

  get elements(): number {
    return this.shards.reduce((sum, elements) => sum + elements, 0);
  }
}

export interface ArenaOptions {
  /** An arena of f16 holds copies for kernels to read; the host neither reads nor writes it. Default f32. */
  readonly dtype?: 'f32' | 'f16';
  /** An arena of the same layout that keeps the resting tensors for this one, too: what never changes needs no copy. */
  readonly restsIn?: ArenaPlan;
}

/** What stands for one buffer of an arena; without memory where the arena is only planned. */
export interface ArenaShard {
  readonly buffer: GPUBuffer | undefined;
}

/** Where everything of an arena lies, memory or not: enough to plan a program with. */
export class ArenaPlan {
  readonly dtype: 'f32' | 'f16';
  readonly restsIn: ArenaPlan | undefined;
  readonly #shards: readonly ArenaShard[];
  /** How many of the shards, from the first, are this arena's own. */
  readonly #own: number;

  /** @param buffers of the arena's own shards; absent: none are there */
  constructor(
    readonly name: string,
    readonly layout: ArenaLayout,
    { dtype = 'f32', restsIn }: ArenaOptions = {},
    buffers: readonly GPUBuffer[] = [],
  ) {
    this.dtype = dtype;
    this.restsIn = restsIn;
    this.#own = ownShards(layout, restsIn).length;
    const own = Array.from({ length: this.#own }, (_, shard) => ({ buffer: buffers[shard] }));
    this.#shards = [...own, ...(restsIn?.shards.slice(this.#own) ?? [])];
  }

  get shards(): readonly ArenaShard[] {
    return this.#shards;
  }

  /** Whether a tensor lies in a buffer of this arena's own. */
  owns(name: string): boolean {
    return this.layout.range(name).shard < this.#own;
  }

  /** Shard and byte range of a tensor, or of a whole shard by `ArenaLayout.shardName`. */
  locate(name: string): { shard: ArenaShard; offset: number; bytes: number } {
    const whole = /^shard:(\d+)$/.exec(name);
    const range = whole
      ? { shard: Number(whole[1]), offset: 0, length: this.layout.shards[Number(whole[1])] ?? 0 }
      : this.layout.range(name);
    const shard = this.#shards[range.shard];
    if (!shard) throw new ShapeError(`arena ${this.name} has no ${name}`);
    const size = elementBytes(this.dtype);
    return { shard, offset: range.offset * size, bytes: range.length * size };
  }

  /** Bytes on the device, of its own buffers. */
  get bytes(): number {
    const elements = this.layout.shards.slice(0, this.#own).reduce((sum, each) => sum + each, 0);
    return elements * elementBytes(this.dtype);
  }
}

/** One set of buffers in a layout: the parameters, or their gradients, or a moment. */
export class Arena extends ArenaPlan {
  readonly #device: Device;
  readonly #buffers: readonly GPUBuffer[];

  private constructor(
    device: Device,
    name: string,
    layout: ArenaLayout,
    options: ArenaOptions,
    buffers: readonly GPUBuffer[],
  ) {
    super(name, layout, options, buffers);
    this.#device = device;
    this.#buffers = buffers;
  }

  /** Zero-filled, but for what rests in another arena. @throws OutOfMemoryError */
  static async create(
    device: Device,
    name: string,
    layout: ArenaLayout,
    options: ArenaOptions & { readonly restsIn?: Arena } = {},
  ): Promise<Arena> {
    const bytes = elementBytes(options.dtype ?? 'f32');
    const buffers: GPUBuffer[] = [];
    for (const [shard, elements] of ownShards(layout, options.restsIn).entries()) {
      buffers.push(await device.createBuffer(`${name} (shard ${shard})`, elements * bytes));
    }
    return new Arena(device, name, layout, options, buffers);
  }

  write(name: string, values: Float32Array): void {
    const { offset, bytes, shard } = this.locate(name);
    if (values.byteLength !== bytes) {
      throw new ShapeError(`${this.name}/${name} holds ${bytes / 4} values, got ${values.length}`);
    }
    this.#device.write(bufferOf(shard), offset, values);
  }

  async read(name: string): Promise<Float32Array> {
    const { offset, bytes, shard } = this.locate(name);
    return new Float32Array(await this.#device.read(bufferOf(shard), offset, bytes));
  }

  /** Every tensor, by one read-back a shard. */
  async readAll(): Promise<Map<string, Float32Array>> {
    const shards: ArrayBuffer[] = [];
    for (const [index, shard] of this.shards.entries()) {
      const bytes = (this.layout.shards[index] ?? 0) * 4;
      shards.push(await this.#device.read(bufferOf(shard), 0, bytes));
    }
    const tensors = new Map<string, Float32Array>();
    for (const { name, shard, offset, length } of this.layout.ranges.values()) {
      tensors.set(name, new Float32Array(shards[shard] ?? new ArrayBuffer(0), offset * 4, length));
    }
    return tensors;
  }

  /** Zero-fills it again, but for what rests in another arena. */
  clear(): void {
    const encoder = this.#device.gpu.createCommandEncoder();
    for (const buffer of this.#buffers) encoder.clearBuffer(buffer);
    this.#device.gpu.queue.submit([encoder.finish()]);
  }

  destroy(): void {
    for (const buffer of this.#buffers) buffer.destroy();
  }
}

/**
 * Gives planned arenas their memory, zero-filled: all that a network, or its training, has on a device. An arena that
 * rests in another shares that one's memory; the other is among them, and before it.
 * @throws OutOfMemoryError naming the arena; what was taken by then is given back
 */
export async function createArenas<Name extends string>(
  device: Device,
  plans: Readonly<Record<Name, ArenaPlan>>,
): Promise<Record<Name, Arena>> {
  const made = new Map<ArenaPlan, Arena>();
  const arenas: Partial<Record<Name, Arena>> = {};
  try {
    for (const key of Object.keys(plans) as Name[]) {
      const plan = plans[key];
      const { name, layout, dtype } = plan;
      const restsIn = plan.restsIn && made.get(plan.restsIn);
      if (plan.restsIn && !restsIn) {
        throw new ShapeError(`arena ${name} rests in ${plan.restsIn.name}, which is not made before it`);
      }
      const arena = await Arena.create(device, name, layout, { dtype, ...(restsIn && { restsIn }) });
      made.set(plan, arena);
      arenas[key] = arena;
    }
  } catch (error) {
    for (const arena of made.values()) arena.destroy();
    throw error;
  }
  return arenas as Record<Name, Arena>;
}

/** The buffer of a shard. @throws ShapeError where the arena was only planned */
export function bufferOf({ buffer }: ArenaShard): GPUBuffer {
  if (!buffer) throw new ShapeError('an arena that was only planned has no memory to run a program on');
  return buffer;
}

function ownShards({ shards, leading }: ArenaLayout, restsIn: ArenaPlan | undefined): readonly number[] {
  return restsIn ? shards.slice(0, leading) : shards;
}
