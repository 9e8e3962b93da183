import type {
  Binding,
  DeviceTraits,
  Kernel,
  KernelStep,
  Operand,
  Scratch,
} from '../../../engine/graph/tensor.js';
import { storageType } from '../../common/storage-type.js';
import { formatOf, linearTexture, type Stored } from '../../common/texture-operand.js';

/**
 * A lane of the rolling convolutions (conv-rolling-gather.ts, conv-rolling-weight.ts): its channels and columns, and its way
 * of reading operands. The rest of the kernels is the same for all adapters.
 */
export interface RollingLane {
  /** Neighbouring channels of a lane: a texel of four, or one. */
  readonly width: 4 | 1;
  /** Software adapters load from storage textures about twice as fast as from buffers. */
  readonly source: 'texture' | 'buffer';
  /** Weights it can hold for each of its channels: in registers, or on a software adapter in the nearest cache. */
  readonly weights: number;
  /** Columns of the image a lane takes at most. */
  readonly columns: number;
  /** Lanes of a workgroup, and how many workgroups keep the adapter busy. */
  readonly lanes: number;
  enough(traits: DeviceTraits): number;
}

/** Four channels a lane from storage textures. */
export const TEXEL_LANE: RollingLane = {
  width: 4,
  source: 'texture',
  weights: 144,
  columns: 8,
  lanes: 8,
  enough: () => FEW_GROUPS,
};

/** One channel a lane: neighbouring lanes of a GPU read neighbouring channels, and all weights stay in registers. */
export const CHANNEL_LANE: RollingLane = {
  width: 1,
  source: 'buffer',
  weights: 72,
  columns: 4,
  lanes: 64,
  // Half of the lanes that a GPU holds: each has loads of a whole row of columns on their way at once.
  enough: ({ kind, residentGroups }) => (kind === 'gpu' ? 2 * residentGroups : FEW_GROUPS),
};

/** Some for each core of a usual machine. */
const FEW_GROUPS = 32;

/**
 * Neighbouring columns a lane takes: four where half of the last lane's would lie beyond the image, where a stride asks
 * for many input columns anyway, or where the code of a step would grow long.
 * @param weights that a lane holds
 */
export function columnsOfLane(
  { width, stride, weights }: { readonly width: number; readonly stride: number; readonly weights: number },
  { columns }: RollingLane,
): number {
  const idle = Math.ceil(width / columns) * columns - width;
  return idle < columns / 2 && stride === 1 && weights * columns <= MAX_UPDATES ? columns : 4;
}

/** Multiply-adds of a step, each of which is written out. */
const MAX_UPDATES = 400;

/**
 * The input of one output channel of a lane: the value at the same place (depthwise), or all input channels of a narrow
 * group.
 */
export interface Mixing {
  /** Input channels that are mixed; 0 where each channel stays by itself. */
  readonly mixed: number;
  /** Of all groups, and of one, counted in the lane's width. */
  readonly inputs: number;
  readonly outputs: number;
  readonly groupInputs: number;
  readonly groupOutputs: number;
}

export function mixing(inputs: number, outputs: number, groups: number, { width }: RollingLane): Mixing {
  const depthwise = inputs === groups && outputs === groups;
  return {
    mixed: depthwise ? 0 : inputs / groups,
    inputs: inputs / width,
    outputs: outputs / width,
    groupInputs: depthwise ? 1 : inputs / groups / width,
    groupOutputs: depthwise ? 1 : outputs / groups / width,
  };
}

/** Values that hold the mixed channels, and the WGSL that takes channel `q` out of value `name`_⌊q / width⌋. */
export function mixedValues({ mixed }: Mixing, { width }: RollingLane): number {
  return Math.max(1, mixed / width);
}

export function mixedChannel(name: string, q: number, { width }: RollingLane): string {
  return width === 4 ? `${name}_${q >> 2}.${'xyzw'[q & 3]}` : `${name}_${q}`;
}

/** How the images and the rows of one image are cut into shares, so that enough workgroups run side by side. */
export interface Shares {
  readonly images: number;
  readonly rows: number;
  /** Images and rows of one share. */
  readonly imageShare: number;
  readonly rowShare: number;
}

/**
 * @param enough workgroups that keep the adapter busy
 * @param overlap rows that neighbouring shares both walk: shares are longer than that
 */
export function shares(
  {
    workgroups,
    images,
    rows,
    overlap,
    enough,
  }: Readonly<Record<'workgroups' | 'images' | 'rows' | 'overlap' | 'enough', number>>,
  { kind }: DeviceTraits,
): Shares {
  const most = Math.min(images, Math.ceil(enough / workgroups));
  const mostRows = Math.max(1, Math.floor(rows / (overlap + 1)));
  // A GPU would rather have shares of single images than cut the rows, too.
  const imageShare = kind === 'gpu' ? Math.floor(images / most) : Math.ceil(images / most);
  const shared = Math.ceil(images / imageShare);
  const missing = enough / (workgroups * shared);
  const wanted = kind === 'gpu' ? Math.max(1, Math.floor(missing)) : Math.ceil(missing);
  const rowShare = Math.ceil(rows / Math.min(mostRows, wanted));
  return { images: shared, rows: Math.ceil(rows / rowShare), imageShare, rowShare };
}

/** Collects the steps of a kernel whose operands the lane reads from where it wants them. */
export class RollingSteps {
  readonly scratch: Scratch[] = [];
  readonly steps: KernelStep[] = [];
  readonly #lane: RollingLane;
  readonly #traits: DeviceTraits;

  constructor(lane: RollingLane, traits: DeviceTraits) {
    this.#lane = lane;
    this.#traits = traits;
  }

  /** Binds a dense operand under a name; `fetch` reads it. */
  stage(name: string, operand: Operand, stored: Stored, elements: number): StagedOperand {
    if (this.#lane.source === 'buffer') {
      const type = storageType(stored, this.#lane.width);
      return { binding: { name, operand, access: 'read', type }, dims: {} };
    }
    const fold = linearTexture(elements / 4, stored, this.#traits);
    if (!fold) throw new RangeError(`rolling convolution: ${name} does not fit a texture`);
    const format = formatOf(stored);
    const index = this.scratch.push({ kind: 'texture', ...fold, format }) - 1;
    this.steps.push({ kind: 'texture-copy', from: operand, to: index });
    return {
      binding: { name, operand: { kind: 'scratch', index }, access: 'texture', type: format },
      dims: { [`${name}Mask`]: fold.width - 1, [`${name}Shift`]: Math.log2(fold.width) },
    };
  }

  /** A scratch buffer. */
  buffer(bytes: number): Operand {
    return { kind: 'scratch', index: this.scratch.push({ kind: 'buffer', bytes }) - 1 };
  }

  /** Steps made for a kernel with this one's scratch. */
  append({ scratch, steps }: Kernel): void {
    this.scratch.push(...scratch);
    this.steps.push(...steps);
  }

  get kernel(): Kernel {
    return { scratch: this.scratch, steps: this.steps };
  }
}

export interface StagedOperand {
  readonly binding: Binding;
  readonly dims: Readonly<Record<string, number>>;
}

/** WGSL for the top of the function: constants that `fetch` of the operand needs. */
export function fetchSetup(lane: RollingLane, name: string): string {
  if (lane.source === 'buffer') return '';
  return `let ${name}Mask = dims.${name}Mask;
  let ${name}Shift = dims.${name}Shift;`;
}

/** WGSL: the value at `index` (an identifier), counted in the lane's width. */
export function fetch({ width, source }: RollingLane, name: string, index: string): string {
  return source === 'texture'
    ? `textureLoad(${name}, vec2u(${index} & ${name}Mask, ${index} >> ${name}Shift))`
    : `${width === 4 ? 'vec4f' : 'f32'}(${name}[${index}])`;
}

export function elementType({ width }: RollingLane): 'vec4f' | 'f32' {
  return width === 4 ? 'vec4f' : 'f32';
}

/**
 * The parts of a lane's value: its WGSL is written for scalars, all updates of one part after those of another. Then the
 * few values that a row of updates shares stay in registers, on adapters that hold each part in a register of its own.
 */
export function parts({ width }: RollingLane): readonly Part[] {
  return width === 4
    ? ['x', 'y', 'z', 'w'].map((name) => ({ name: `_${name}`, member: `.${name}` }))
    : [{ name: '', member: '' }];
}

export interface Part {
  /** Suffix of the scalar variables that hold this part, and the access to it in a lane's value. */
  readonly name: string;
  readonly member: string;
}

/** WGSL: the value whose parts are the scalars `name`. */
export function joined(lane: RollingLane, name: string): string {
  const scalars = parts(lane).map((part) => `${name}${part.name}`);
  return scalars.length === 1 ? scalars.join() : `vec4f(${scalars.join(', ')})`;
}

/** Lines of WGSL for 0, 1, … n − 1. */
export function each(n: number, line: (i: number) => string): string {
  return Array.from({ length: n }, (_, i) => line(i)).join('\n');
}
