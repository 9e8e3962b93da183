import { bufferOf } from '../arena.js';
import { bytesMoved, type Chosen, type ChosenBy, problemOf } from '../choose/choose.js';
import { problemKey } from '../choose/problem-key.js';
import { type Device, roundUp } from '../device.js';
import { KernelError } from '../errors.js';
import { at, byteLength, describe, type Kernel, type Tensor, type TensorSpec } from '../graph/tensor.js';
import { type Location, piecesOf } from '../plan/location.js';
import type { TextureSize } from '../plan/place-textures.js';
import { type Plan, resolve } from '../plan/plan.js';
import { bindStep } from './bindings.js';
import { type Command, textureCopies } from './commands.js';
import { DimsBuffer } from './dims-buffer.js';

/** From a plan to commands: allocates its buffers and textures, and makes pipelines and bind groups. */

/** A row of the plan: an op with its variant and its cost. */
export interface PlanRow {
  readonly label: string;
  readonly op: string;
  readonly shape: string;
  readonly variant: string;
  readonly by: ChosenBy;
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
  /** The variant of each problem (`problemKey`) that could have had another. An exact repetition needs to know it. */
  readonly kernels: ReadonlyMap<string, string>;
  readonly owned: readonly (GPUBuffer | GPUTexture)[];
  /** @throws KernelError where the value is too large for one binding and lies in pieces */
  locate(tensor: Tensor): Place;
  /** One place, or one for each piece, in the order of its bytes. */
  pieces(tensor: Tensor): readonly Place[];
}

export interface Place {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly bytes: number;
}

/**
 * All pipelines are asked for at once: the driver compiles them side by side where it can.
 * @param given buffers of inputs that several programs share; they are their owner's
 */
export async function buildCommands(
  device: Device,
  plan: Plan,
  given: ReadonlyMap<Tensor, GPUBuffer> = new Map(),
): Promise<Built> {
  const buffers: GPUBuffer[] = [];
  for (const [index, bytes] of plan.memory.buffers.entries()) {
    buffers.push(await device.createBuffer(`intermediates ${index}`, bytes));
  }
  const leaves: GPUBuffer[] = [];
  for (const tensor of plan.leaves) leaves.push(given.get(tensor) ?? (await createLeaf(device, tensor)));
  const textures = plan.textures.sizes.map((size, index) =>
    createTexture(device, `scratch texture ${index}`, size),
  );
  const dims = await DimsBuffer.create(device, DimsBuffer.bytesFor(kernelsOf(plan)));
  const place = (location: Location): Place => {
    switch (location.kind) {
      case 'arena':
        return { ...location, buffer: bufferOf(location.shard) };
      case 'leaf':
        return { ...location, buffer: at(leaves, location.index) };
      case 'planned': {
        const { buffer, offset } = at(plan.memory.places, location.lifetime);
        return { buffer: at(buffers, buffer), offset: offset + location.offset, bytes: location.bytes };
      }
      case 'pieces':
        throw new KernelError('a value in pieces is bound as a whole');
      case 'texture':
        throw new KernelError('a scratch texture is bound as a buffer');
    }
  };
  const textureOf = (location: Location | undefined, label: string): GPUTexture => {
    if (location?.kind !== 'texture') throw new KernelError(`${label}: a buffer is used as a texture`);
    return at(textures, at(plan.textures.places, location.index));
  };

  const rows: PlanRow[] = [];
  const kernels = new Map<string, string>();
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
        by: 'only',
        dispatches: 0,
        flops: 0,
        bytes: 2 * bytes,
      });
      pending.push(Promise.resolve({ row, command: copyCommand(from, to) }));
      continue;
    }
    const { node, kernel } = action.chosen;
    rows.push(describeRow(action.chosen));
    for (const part of action.chosen.parts ?? [action.chosen]) {
      if (part.by !== 'only') kernels.set(problemKey(part.node), part.variant);
    }
    for (const step of kernel.steps) {
      if (step.kind === 'texture-copy') {
        const source = place(resolve(step.from, node, action.scratch, plan.locate));
        const copies = textureCopies(source, textureOf(action.scratch[step.to], node.label), step.box);
        pending.push(Promise.resolve({ row, command: { kind: 'texture', copies } }));
        continue;
      }
      if (step.kind === 'copy') {
        const [from, to] = [step.from, step.to].map((operand) =>
          place(resolve(operand, node, action.scratch, plan.locate)),
        ) as [Place, Place];
        pending.push(Promise.resolve({ row, command: copyCommand(from, to) }));
        continue;
      }
      const resources = step.bindings.map((binding): GPUBindingResource => {
        const location = resolve(binding.operand, node, action.scratch, plan.locate);
        if (binding.access === 'texture') return textureOf(location, node.label).createView();
        const { buffer, offset, bytes } = place(location);
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
    kernels,
    locate: (tensor) => place(plan.locate(tensor)),
    pieces: (tensor) => piecesOf(plan.locate(tensor)).map(place),
    owned: [...buffers, ...leaves.filter((_, i) => !given.has(at(plan.leaves, i))), ...textures, dims.buffer],
  };
}

function copyCommand(from: Place, to: Place): Command {
  return {
    kind: 'copy',
    from: from.buffer,
    fromOffset: from.offset,
    to: to.buffer,
    toOffset: to.offset,
    bytes: from.bytes,
  };
}

/** The buffer of an input, or of a constant with its values. */
async function createLeaf(device: Device, tensor: Tensor): Promise<GPUBuffer> {
  const { source } = tensor;
  const label = source.kind === 'input' ? `input ${source.name}` : 'constant';
  const buffer = await device.createBuffer(label, byteLength(tensor));
  if (source.kind === 'constant') device.write(buffer, 0, source.values);
  return buffer;
}

function createTexture(device: Device, label: string, { width, height, format }: TextureSize): GPUTexture {
  return device.gpu.createTexture({
    label,
    size: [width, height],
    format,
    usage: GPUTextureUsage.STORAGE_BINDING | GPUTextureUsage.COPY_DST,
  });
}

function kernelsOf(plan: Plan): Kernel[] {
  return plan.actions.flatMap((action) => (action.kind === 'kernel' ? [action.chosen.kernel] : []));
}

function describeRow({ node, variant, by, kernel }: Chosen): PlanRow {
  const { op, inputs, outputs } = node;
  const problem = problemOf(node);
  const shapes = (specs: readonly TensorSpec[]) => specs.map(({ shape }) => `[${shape}]`).join(' ');
  return {
    label: node.label,
    op: op.name,
    shape: `${shapes(inputs)} → ${shapes(outputs)}`,
    variant,
    by,
    dispatches: kernel.steps.filter((step) => step.kind === 'dispatch').length,
    flops: op.flops(problem),
    bytes: bytesMoved(op, problem),
  };
}
