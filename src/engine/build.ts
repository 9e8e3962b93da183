import { bindStep } from './bindings.js';
import type { Command } from './commands.js';
import { type Device, roundUp } from './device.js';
import { KernelError } from './errors.js';
import { type Location, type Plan, resolve } from './plan.js';
import {
  at,
  byteLength,
  describe,
  type KernelStep,
  type Problem,
  type Scratch,
  type Tensor,
} from './tensor.js';

/** From a plan to commands: allocates its buffers and textures, and makes pipelines and bind groups. */

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

/** A command and the row of the table that it belongs to. */
export interface RowCommand {
  readonly row: number;
  readonly command: Command;
}

export interface Built {
  readonly commands: readonly RowCommand[];
  readonly rows: readonly PlanRow[];
  readonly owned: readonly (GPUBuffer | GPUTexture)[];
  /** Bytes of all intermediates, textures included. */
  readonly peakBytes: number;
  locate(tensor: Tensor): { buffer: GPUBuffer; offset: number };
}

/** All pipelines are asked for at once: the driver compiles them side by side where it can. */
export async function buildCommands(device: Device, plan: Plan): Promise<Built> {
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
  const pending: Promise<RowCommand>[] = [];
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
      const command: Command = {
        kind: 'copy',
        from: from.buffer,
        fromOffset: from.offset,
        to: to.buffer,
        toOffset: to.offset,
        bytes,
      };
      pending.push(Promise.resolve({ row, command }));
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
            command: {
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
        const { buffer, offset, bytes } = place(resolve(binding.operand, node, action.scratch, plan.locate));
        return { buffer, offset, size: roundUp(bytes, 16) };
      });
      if (step.dims) resources.push(dims.add(step.dims));
      pending.push(bindStep(device, node.label, step, resources).then((command) => ({ row, command })));
    }
  }
  const commands = await Promise.all(pending);
  dims.upload();
  return {
    commands,
    rows,
    locate: (tensor) => place(plan.locate(tensor)),
    owned: [...buffers, ...textures.all, dims.buffer],
    peakBytes: plan.memory.buffers.reduce((sum, bytes) => sum + bytes, 0) + textures.bytes,
  };
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
