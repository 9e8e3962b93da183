import { ShapeError } from '../errors.js';

/**
 * The vocabulary of a graph. A traced value is a shape, a dtype and a source; nothing has run yet.
 * Layout is always dense row-major; images are NHWC.
 */
export type DType = 'f32' | 'f16' | 'u32';

export type Shape = readonly number[];

export interface TensorSpec {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Where a tensor's bytes come from. */
export type Source =
  /** Written by the host before each run. */
  | { readonly kind: 'input'; readonly name: string }
  /** A named range of an arena that outlives the run (parameters, gradients, running statistics…). */
  | { readonly kind: 'variable'; readonly arena: string; readonly name: string }
  /** Written once, when the program is compiled. */
  | { readonly kind: 'constant'; readonly values: Float32Array | Uint32Array }
  /** Output number `index` of an op. */
  | { readonly kind: 'op'; readonly node: Node; readonly index: number };

/** A symbolic value of a graph. Only its shape and dtype are known until a compiled program has run. */
export interface Tensor extends TensorSpec {
  readonly id: number;
  readonly source: Source;
  readonly graph: Graph;
}

/** One application of an op. `label` is the path of scopes it was traced in, for errors and `--explain`. */
export interface Node<A = unknown> {
  readonly op: Op<A>;
  readonly attributes: A;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly label: string;
}

/**
 * Several ops that are one operation in other systems, such as a softmax. The function that traces them says so, for
 * translations of a graph (src/export). The engine itself takes no notice.
 */
export interface Composite {
  readonly name: string;
  readonly inputs: readonly Tensor[];
  readonly attributes: Readonly<Record<string, number>>;
}

/** The shapes and attributes of one application of an op: all that a kernel variant may depend on. */
export interface Problem<A = unknown> {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly attributes: A;
}

/**
 * The declaration of an op. Methods, not function properties, so that an `Op<A>` may be kept among `Op<unknown>`.
 */
export interface Op<A = unknown> {
  readonly name: string;
  /** Output specs; throws `ShapeError` where inputs and attributes do not fit. */
  infer(inputs: readonly TensorSpec[], attributes: A): TensorSpec[];
  /**
   * Vector-Jacobian product, written with ops: from the gradients of the outputs (undefined: that output does not
   * reach the loss) the gradients of the inputs (undefined: not differentiable). Each has its input's shape, or the
   * output's where the op `broadcasts`.
   */
  vjp?(node: Node<A>, gradients: readonly (Tensor | undefined)[]): (Tensor | undefined)[];
  /** Floating-point operations; bytes moved are inputs plus outputs unless `bytes` says otherwise. */
  flops(problem: Problem<A>): number;
  bytes?(problem: Problem<A>): number;
  /**
   * The op repeats its operands to the output's shape by NumPy's rules. Its gradients may have that shape:
   * differentiation sums them down.
   */
  readonly broadcasts?: boolean;
  /** The output is the input's bytes under another shape: no kernel runs. */
  readonly alias?: boolean;
  /** Indices of inputs (variables) that the kernel updates in place. Such a node is never removed or moved. */
  readonly mutates?: readonly number[];
  /**
   * Operands that every variant can also read or write as f16 (it computes in f32 all the same); see narrow.ts.
   * `all`, or their numbers. Absent: none.
   */
  readonly halves?: {
    readonly inputs: 'all' | readonly number[];
    readonly outputs: 'all' | readonly number[];
  };
  /** Merges `producer` (whose output is input number `at` of `consumer`, and has no other use) into one node. */
  absorb?(consumer: Node<A>, at: number, producer: Node, limits: { maxBindings: number }): Fused | undefined;
  /**
   * The other way round: `consumer`, whose input number `at` is the only output of `producer` (this op's node) and has
   * no other use, becomes the last thing that the producer does.
   */
  finishWith?(
    producer: Node<A>,
    consumer: Node,
    at: number,
    limits: { maxBindings: number },
  ): Fused | undefined;
  /**
   * The work of `other` beside this op's own, in one reading of input number `at`, which `other` reads too, maybe under
   * another shape. The joined op has the outputs of both, this op's first.
   */
  joinWith?(node: Node<A>, at: number, other: Node): Fused | undefined;
  /**
   * How the op is applied to some of its rows at a time, so that no operand need be bound as a whole; undefined where this
   * problem cannot be. An op without it is bound by the largest binding.
   */
  rows?(problem: Problem<A>): RowCut<A> | undefined;
  readonly variants: readonly Variant<A>[];
}

/**
 * Neighbouring rows of a tensor, in parts of it: of `of` equal parts those from number `from` to before number `to`. The rows
 * of a tensor are the entries of its first axis that is longer than 1: images, or the rows of a matrix.
 */
export interface RowRange {
  readonly from: number;
  readonly to: number;
  readonly of: number;
}

/** How an op is applied to a range of rows. */
export interface RowCut<A = unknown> {
  /** Of each input, whether the op needs the same range of its rows. Of the others it needs all. */
  readonly inputs: readonly boolean[];
  /** Attributes of the op over this range alone. */
  attributes(range: RowRange): A;
  /**
   * Absent: each range gives the same range of rows of every output. Else it gives outputs over its rows, of the whole's
   * shape, and these ops merge them, such as sums.
   */
  merge?(ranges: readonly RowRange[]): readonly Merge[];
}

/**
 * An op that makes outputs of a cut op of what the ranges gave. Its inputs are f32 [ranges, stride]: a range's output
 * row-major, then padding.
 */
export interface Merge {
  readonly op: Op;
  readonly attributes: unknown;
  /** Numbers of the cut op's outputs: those that are read, range by range, and those that come out. */
  readonly reads: readonly number[];
  readonly writes: readonly number[];
}

export interface Fused<A = unknown> {
  readonly op: Op<A>;
  readonly attributes: A;
  readonly inputs: readonly Tensor[];
}

/** A way to compute an op. The engine asks `unfit` before it offers the variant, and `rank` to choose by rule. */
export interface Variant<A = unknown> {
  readonly name: string;
  /** Of variants that differ only in parameters. The tuner measures those of a family that rank best. */
  readonly family?: string;
  /** Taken only where it is asked for by name, never by the rule or a tuner: its results are less exact. */
  readonly optIn?: boolean;
  /** Why the variant cannot run this problem on this device; undefined if it can. */
  unfit(problem: Problem<A>, traits: DeviceTraits): string | undefined;
  /** Expected relative cost on this kind of device: the lowest that fits is taken. */
  rank(problem: Problem<A>, traits: DeviceTraits): number;
  build(problem: Problem<A>, traits: DeviceTraits): Kernel;
}

/** `gpu` is hardware; the others compute on the CPU. `software` is a software adapter that is neither of the two known. */
export type AdapterKind = 'gpu' | 'lavapipe' | 'swiftshader' | 'software';

/** The facts of a device that a kernel may depend on. */
export interface DeviceTraits {
  /**
   * `software` for all that compute on the CPU: workgroup memory is ordinary memory there, barriers are dear, and a
   * scalar load costs as much as a vector.
   */
  readonly kind: 'gpu' | 'software';
  /** Which adapter it is, for the few rules that were measured on one of them only. Told by src/platform. */
  readonly adapter: AdapterKind;
  /** Lanes of a subgroup, or 0 where subgroups are missing or their size varies. */
  readonly subgroupSize: number;
  readonly maxBindings: number;
  readonly maxBindingBytes: number;
  readonly maxBufferBytes: number;
  readonly maxTextureSide: number;
  readonly maxWorkgroupBytes: number;
  readonly maxInvocations: number;
  readonly maxWorkgroups: number;
  readonly bindingAlignment: number;
  /** Whether kernels may hold f16 (WebGPU's shader-f16). */
  readonly f16: boolean;
  /**
   * Workgroups of 256 lanes and 16 KiB of workgroup memory that compute at the same time. A grid of fewer leaves parts of
   * the device without work.
   */
  readonly residentGroups: number;
  /** Products of small matrices that a whole subgroup computes at once (subgroup matrices); empty where there are none. */
  readonly matrices: readonly MatrixShape[];
}

/** A product of an m × k and a k × n matrix in one instruction of a subgroup. */
export interface MatrixShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Type of both operands' elements. */
  readonly operands: 'f16' | 'f32';
  /** Type of the sums. */
  readonly sums: 'f16' | 'f32';
  /**
   * Lanes of the device's smallest and largest subgroups. The smallest compute the product: a kernel asks for them by
   * `@subgroup_size` where the two differ. Its workgroups are multiples of the largest.
   */
  readonly subgroups: readonly [least: number, most: number];
}

/** An operand of a kernel step. */
export interface Operand {
  readonly kind: 'input' | 'output' | 'scratch';
  readonly index: number;
  /** The part of its bytes that the step uses; absent: all. */
  readonly part?: Part;
}

/** In bytes. */
export interface Part {
  readonly offset: number;
  readonly bytes: number;
}

/** Memory a kernel needs between its own steps. */
export type Scratch =
  | { readonly kind: 'buffer'; readonly bytes: number }
  /**
   * Storage texture: `width` texels of four values, which a kernel reads as f32 in either format. Kernels share them, so
   * it may be taller than asked for, and holds leftovers wherever this kernel has copied nothing.
   */
  | {
      readonly kind: 'texture';
      readonly width: number;
      readonly height: number;
      /** `rgba32float` where absent. */
      readonly format?: TextureFormat;
    };

export type TextureFormat = 'rgba32float' | 'rgba16float';

export interface Binding {
  /** The WGSL variable's name. */
  readonly name: string;
  readonly operand: Operand;
  readonly access: 'read' | 'read_write' | 'texture';
  /** Element type of the storage array, e.g. `f32`, `vec4h`, `u32`; of a texture, its format (`rgba32float` where empty). */
  readonly type: string;
}

export type KernelStep =
  | {
      readonly kind: 'dispatch';
      /** WGSL without the binding declarations, which are derived from `bindings`; entry point `main`. */
      readonly code: string;
      readonly bindings: readonly Binding[];
      readonly workgroups: readonly [number, number, number];
      /**
       * Sizes that change from one use to the next without making another pipeline: `dims.name` in the WGSL, u32 each.
       * Heavy kernels pass their sizes this way, so that a network compiles a few pipelines instead of one a layer.
       */
      readonly dims?: Readonly<Record<string, number>>;
      /** WGSL extensions to enable, e.g. `subgroups`. */
      readonly enables?: readonly string[];
    }
  /** A buffer into a scratch texture; no shader involved. */
  | {
      readonly kind: 'texture-copy';
      readonly from: Operand;
      readonly to: number;
      /** Absent: the whole buffer, row by row, into a texture whose width is a multiple of 256 bytes. */
      readonly box?: TextureBox;
    }
  /** Bytes from one buffer to another, as many as both operands have. */
  | { readonly kind: 'copy'; readonly from: Operand; readonly to: Operand };

/** A rectangle of texels: where it lies in the buffer, and where it goes. */
export interface TextureBox {
  /** Texels from the beginning of the buffer, and from one row to the next (a multiple of 256 bytes). */
  readonly offset: number;
  readonly pitch: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Kernel {
  readonly scratch: readonly Scratch[];
  readonly steps: readonly KernelStep[];
}

/** A list of op applications in an order in which they can run. */
export class Graph {
  readonly nodes: Node[] = [];
  readonly inputs = new Map<string, Tensor>();
  readonly variables = new Map<string, Tensor>();
  /** By their result. */
  readonly composites = new Map<Tensor, Composite>();
  #count = 0;
  #scopes: string[] = [];

  /** A tensor that the host writes before each run. */
  input(name: string, shape: Shape, dtype: DType = 'f32'): Tensor {
    if (this.inputs.has(name)) throw new ShapeError(`the graph has an input "${name}" already`);
    const tensor = this.#tensor({ shape, dtype }, { kind: 'input', name });
    this.inputs.set(name, tensor);
    return tensor;
  }

  /** A range of an arena; asking twice gives the same tensor. */
  variable(arena: string, name: string, shape: Shape, dtype: DType = 'f32'): Tensor {
    const key = `${arena}/${name}`;
    const known = this.variables.get(key);
    if (known) {
      if (known.dtype !== dtype || known.shape.join() !== shape.join()) {
        throw new ShapeError(
          `variable ${key} is [${known.shape}] ${known.dtype}, asked for as [${shape}] ${dtype}`,
        );
      }
      return known;
    }
    const tensor = this.#tensor({ shape, dtype }, { kind: 'variable', arena, name });
    this.variables.set(key, tensor);
    return tensor;
  }

  /** Values fixed at compile time. */
  constant(values: Float32Array | Uint32Array, shape: Shape): Tensor {
    if (values.length !== elementCount(shape)) {
      throw new ShapeError(`constant has ${values.length} values for shape [${shape}]`);
    }
    const dtype = values instanceof Uint32Array ? 'u32' : 'f32';
    return this.#tensor({ shape, dtype }, { kind: 'constant', values });
  }

  /** Appends an op; checks shapes now. */
  apply<A>(op: Op<A>, inputs: readonly Tensor[], attributes: A): Tensor[] {
    for (const tensor of inputs) {
      if (tensor.graph !== this) throw new ShapeError(`${op.name}: an operand belongs to another graph`);
    }
    const specs = op.infer(inputs, attributes);
    const outputs: Tensor[] = [];
    const label = [...this.#scopes, op.name].join('.');
    const node: Node<A> = { op, attributes, inputs, outputs, label };
    specs.forEach((spec, index) => {
      outputs.push(this.#tensor(spec, { kind: 'op', node: node as Node, index }));
    });
    this.nodes.push(node as Node);
    return outputs;
  }

  /** Gives the ops traced inside a common name, for errors and printed plans. */
  scope<T>(name: string, trace: () => T): T {
    this.#scopes.push(name);
    try {
      return trace();
    } finally {
      this.#scopes.pop();
    }
  }

  /** Remembers that the ops traced inside are one operation; of several around the same result, the outermost. */
  composite(composite: Composite, trace: () => Tensor): Tensor {
    const result = trace();
    this.composites.set(result, composite);
    return result;
  }

  #tensor(spec: TensorSpec, source: Source): Tensor {
    for (const size of spec.shape) {
      if (!Number.isSafeInteger(size) || size < 1) {
        throw new ShapeError(`a shape needs positive whole sizes, got [${spec.shape}]`);
      }
    }
    return { id: this.#count++, shape: [...spec.shape], dtype: spec.dtype, source, graph: this };
  }
}

/** Applies an op that has exactly one output. */
export function applyOne<A>(op: Op<A>, inputs: readonly [Tensor, ...Tensor[]], attributes: A): Tensor {
  const [output] = inputs[0].graph.apply(op, inputs, attributes);
  if (!output) throw new ShapeError(`${op.name} has no output`);
  return output;
}

export function elementCount(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function byteLength(spec: TensorSpec): number {
  return elementCount(spec.shape) * elementBytes(spec.dtype);
}

export function elementBytes(dtype: DType): number {
  return dtype === 'f16' ? 2 : 4;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}

/** `[2, 3] f32`, for messages. */
export function describe(spec: TensorSpec): string {
  return `[${spec.shape.join(', ')}] ${spec.dtype}`;
}

/** Element `i` of a list that is known to be long enough; throws instead of giving undefined. */
export function at<T>(list: ArrayLike<T>, i: number): T {
  const value = list[i < 0 ? list.length + i : i];
  if (value === undefined) throw new RangeError(`index ${i} of a list of ${list.length}`);
  return value;
}
