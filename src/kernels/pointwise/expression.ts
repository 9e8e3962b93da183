import { rowAxis, rowsShape, share } from '../../engine/graph/rows.js';
import {
  type Binding,
  elementCount,
  type Operand,
  type RowRange,
  type Shape,
  type TensorSpec,
} from '../../engine/graph/tensor.js';
import { storageType } from '../common/storage-type.js';
import { collapse, isDense, isScalar, offset, unravelIndex } from './expression-dims.js';

/**
 * Element-wise expressions and their WGSL. An expression is a short straight-line program over its operands; the
 * pointwise family evaluates one for each element, the reductions evaluate one on the way in. Merging two ops is
 * concatenating two programs.
 */
export interface Instruction {
  readonly fn: ElementFunction;
  /** Operand numbers; from `inputs.length` on, results of earlier instructions. */
  readonly args: readonly number[];
  /** Literals of this application, e.g. a slope or a probability. */
  readonly params: readonly number[];
}

/** How a function of the pointwise table is written in WGSL. */
export interface ElementFunction {
  readonly name: string;
  /**
   * The expression, of type `T` (an alias of f32 or vec4f). `args` are WGSL expressions of type `T`, except that a
   * u32 operand is the name of its array. `index` is the flat index of the (first) element, a u32 expression.
   */
  wgsl(args: readonly string[], params: readonly string[], index: string): string;
  /** Whether `wgsl` depends on `index`. */
  readonly indexed?: boolean;
  /** WGSL functions that `wgsl` uses, written in terms of `T`. */
  library?(vector: boolean): string;
  readonly flops?: number;
}

export interface Expression {
  readonly code: readonly Instruction[];
  /** Result shape; every operand broadcasts to it by NumPy's rules. */
  readonly shape: Shape;
  /** The flat index of the first element, where these are rows of a larger result. Default 0. */
  readonly first?: number | undefined;
}

/** The same over a range of rows of its result. */
export function rowsOfExpression<E extends Expression>(expression: E, range: RowRange): E {
  const { code, shape } = expression;
  const indexed = code.some(({ fn }) => fn.indexed);
  return {
    ...expression,
    shape: rowsShape(shape, range),
    ...(indexed && { first: share(elementCount(shape), { ...range, from: 0, to: range.from }) }),
  };
}

/** Whether an operand has rows of its own for rows of the result, and is not the same for all. */
export function hasRows({ dtype, shape: own }: TensorSpec, shape: Shape): boolean {
  const axis = rowAxis(shape);
  const size = axis === undefined ? undefined : own[axis - shape.length + own.length];
  return dtype !== 'u32' && size !== undefined && size > 1;
}

/** Whether `emitExpression` can work on four consecutive elements at a time. */
export function canVectorize(inputs: readonly TensorSpec[], shape: Shape): boolean {
  const dims = collapse(inputs, shape);
  const last = dims.at(-1);
  return last !== undefined && last.size % 4 === 0;
}

/**
 * WGSL that defines `fn value(i: u32) -> T`, where `i` counts elements (or groups of four where `vector`), and the
 * bindings it reads, named `x0`, `x1`…
 */
export function emitExpression(
  { code, shape, first }: Expression,
  inputs: readonly TensorSpec[],
  vector: boolean,
): { code: string; bindings: Binding[] } {
  const dims = collapse(inputs, shape);
  const width = vector ? 4 : 1;
  const lines: string[] = [];
  const coordinates = inputs.some(
    (input, k) => input.dtype !== 'u32' && !isDense(dims, k) && !isScalar(dims, k),
  );
  if (coordinates) {
    const sizes = dims.map(({ size }, d) => (d === dims.length - 1 ? size / width : size));
    lines.push(unravelIndex(sizes, 'i'));
  }
  const bindings: Binding[] = [];
  const names = inputs.map((input, k) => {
    const operand: Operand = { kind: 'input', index: k };
    if (input.dtype === 'u32') {
      bindings.push({ name: `x${k}`, operand, access: 'read', type: 'u32' });
      return `x${k}`;
    }
    const lastStride = dims.at(-1)?.strides[k] ?? 0;
    const vectorLoad = vector && lastStride === 1;
    const loadWidth = vectorLoad ? 4 : 1;
    bindings.push({ name: `x${k}`, operand, access: 'read', type: storageType(input, loadWidth) });
    const load = `x${k}[${offset(dims, k, loadWidth)}]`;
    // A scalar that is spread to four values must be an f32 first.
    lines.push(`let v${k} = T(${vector && !vectorLoad ? `f32(${load})` : load});`);
    return `v${k}`;
  });
  const { lines: steps, libraries, result } = emitSteps({ code, first }, names, inputs.length, vector);
  return {
    code: `alias T = ${vector ? 'vec4f' : 'f32'};
${libraries}
fn value(i: u32) -> T {
  ${[...lines, ...steps].join('\n  ')}
  return ${result};
}\n`,
    bindings,
  };
}

/** The straight-line code of an expression whose operands are called `operands`; `i` is the element in units of T. */
export function emitSteps(
  { code, first = 0 }: Pick<Expression, 'code' | 'first'>,
  operands: readonly string[],
  inputs: number,
  vector: boolean,
): { lines: string[]; libraries: string; result: string } {
  const names = [...operands];
  const element = vector ? '(i * 4u)' : 'i';
  const index = first === 0 ? element : `(${element} + ${first}u)`;
  const lines: string[] = [];
  const libraries = new Set<string>();
  for (const [step, { fn, args, params }] of code.entries()) {
    if (fn.library) libraries.add(fn.library(vector));
    const result = `v${inputs + step}`;
    lines.push(
      `let ${result}: T = ${fn.wgsl(
        args.map((arg) => names[arg] ?? ''),
        params.map(literal),
        index,
      )};`,
    );
    names.push(result);
  }
  return { lines, libraries: [...libraries].join('\n'), result: names.at(-1) ?? '' };
}

/** Floating-point operations of one element. */
export function expressionFlops(code: readonly Instruction[]): number {
  return code.reduce((sum, { fn }) => sum + (fn.flops ?? 1), 0);
}

/**
 * Replaces operand `at` of `outer` by the program `inner`. The operands become inner's, then outer's without `at`;
 * operands given twice are merged. An empty program is its first operand.
 */
export function compose<Operand>(
  outer: { code: readonly Instruction[]; inputs: readonly Operand[] },
  at: number,
  inner: { code: readonly Instruction[]; inputs: readonly Operand[] },
): { code: Instruction[]; inputs: Operand[] } {
  const inputs = [...new Set([...inner.inputs, ...outer.inputs.filter((_, k) => k !== at)])];
  const position = (operand: Operand) => inputs.indexOf(operand);
  const innerArgs = (arg: number): number => {
    const operand = inner.inputs[arg];
    return operand !== undefined ? position(operand) : inputs.length + arg - inner.inputs.length;
  };
  const outerArgs = (arg: number): number => {
    if (arg === at) return inner.code.length > 0 ? inputs.length + inner.code.length - 1 : 0;
    const operand = outer.inputs[arg];
    return operand !== undefined
      ? position(operand)
      : inputs.length + inner.code.length + arg - outer.inputs.length;
  };
  const code = [
    ...inner.code.map((step) => ({ ...step, args: step.args.map(innerArgs) })),
    ...outer.code.map((step) => ({ ...step, args: step.args.map(outerArgs) })),
  ];
  return { code, inputs };
}

/** A WGSL f32 literal. */
export function literal(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`${value} has no WGSL literal`);
  const single = Math.fround(value);
  return Number.isInteger(single) && Math.abs(single) < 1e9 ? `${single}.0` : `${single}f`.replace('e+', 'e');
}
