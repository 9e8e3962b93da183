import { type Binding, elementCount, type Operand, type Shape, type TensorSpec } from '../engine/tensor.js';

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
  /** WGSL functions that `wgsl` uses, written in terms of `T`. */
  library?(vector: boolean): string;
  readonly flops?: number;
}

export interface Expression {
  readonly code: readonly Instruction[];
  /** Result shape; every operand broadcasts to it by NumPy's rules. */
  readonly shape: Shape;
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
  { code, shape }: Expression,
  inputs: readonly TensorSpec[],
  vector: boolean,
): { code: string; bindings: Binding[] } {
  const dims = collapse(inputs, shape);
  const width = vector ? 4 : 1;
  const lines: string[] = [];
  const coordinates = inputs.some(
    (input, k) => input.dtype === 'f32' && !isDense(dims, k) && !isScalar(dims, k),
  );
  if (coordinates) {
    lines.push('var rest = i;');
    for (let d = dims.length - 1; d >= 0; d--) {
      const size = (dims[d]?.size ?? 1) / (d === dims.length - 1 ? width : 1);
      lines.push(d === 0 ? `let c0 = rest;` : `let c${d} = rest % ${size}u; rest = rest / ${size}u;`);
    }
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
    bindings.push({ name: `x${k}`, operand, access: 'read', type: vectorLoad ? 'vec4f' : 'f32' });
    const load = `x${k}[${offset(dims, k, vectorLoad ? 4 : 1)}]`;
    lines.push(`let v${k} = ${vector && !vectorLoad ? `T(${load})` : load};`);
    return `v${k}`;
  });
  const { lines: steps, libraries, result } = emitSteps(code, names, inputs.length, vector);
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
function emitSteps(
  code: Expression['code'],
  operands: readonly string[],
  inputs: number,
  vector: boolean,
): { lines: string[]; libraries: string; result: string } {
  const names = [...operands];
  const index = vector ? '(i * 4u)' : 'i';
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

/**
 * Rows and columns of an expression, if that is all it has: every operand is dense, or one row for all rows, or a
 * scalar; undefined otherwise, and where no operand is one row.
 */
export function rowsAndColumns(
  inputs: readonly TensorSpec[],
  shape: Shape,
): { rows: number; columns: number } | undefined {
  const dims = collapse(inputs, shape);
  const [rows, columns] = dims;
  if (dims.length !== 2 || !rows || !columns) return undefined;
  const floats = inputs.flatMap((input, k) => (input.dtype === 'f32' ? [k] : []));
  const oneRow = (k: number) => rows.strides[k] === 0 && columns.strides[k] === 1;
  const fits = floats.every((k) => oneRow(k) || isDense(dims, k) || isScalar(dims, k));
  return fits && floats.some(oneRow) ? { rows: rows.size, columns: columns.size } : undefined;
}

/**
 * WGSL for a lane that stays in one column: `prepare` loads what all rows share, for `column` in units of T; `value`
 * then is the result at element `i`. Only where `rowsAndColumns` says so.
 */
export function emitColumn(
  { code, shape }: Expression,
  inputs: readonly TensorSpec[],
  vector: boolean,
): { library: string; prepare: string; lines: string; value: string; bindings: Binding[] } {
  const dims = collapse(inputs, shape);
  const bindings: Binding[] = [];
  const prepare: string[] = [];
  const loads: string[] = [];
  const names = inputs.map((input, k) => {
    const operand: Operand = { kind: 'input', index: k };
    if (input.dtype === 'u32' || isScalar(dims, k)) {
      bindings.push({ name: `x${k}`, operand, access: 'read', type: input.dtype });
      if (input.dtype === 'u32') return `x${k}`;
      prepare.push(`let v${k} = T(x${k}[0]);`);
    } else {
      bindings.push({ name: `x${k}`, operand, access: 'read', type: vector ? 'vec4f' : 'f32' });
      if (isDense(dims, k)) loads.push(`let v${k} = x${k}[i];`);
      else prepare.push(`let v${k} = x${k}[column];`);
    }
    return `v${k}`;
  });
  const { lines, libraries, result } = emitSteps(code, names, inputs.length, vector);
  return {
    library: `alias T = ${vector ? 'vec4f' : 'f32'};\n${libraries}\n`,
    prepare: prepare.join(' '),
    lines: [...loads, ...lines].join('\n    '),
    value: result,
    bindings,
  };
}

/** Floating-point operations of one element. */
export function expressionFlops(code: readonly Instruction[]): number {
  return code.reduce((sum, { fn }) => sum + (fn.flops ?? 1), 0);
}

/**
 * Replaces operand `at` of `outer` by the program `inner`. The operands become inner's, then outer's without `at`;
 * operands given twice are merged by `same`.
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
    if (arg === at) return inputs.length + inner.code.length - 1;
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

/** A dimension of the collapsed result, with the stride of each operand along it (0: the operand broadcasts). */
interface Dim {
  size: number;
  strides: number[];
}

/** The fewest dimensions in which every operand is either dense or broadcast along each. */
function collapse(inputs: readonly TensorSpec[], shape: Shape): Dim[] {
  const rank = shape.length;
  const dims: Dim[] = [];
  for (let d = 0; d < rank; d++) {
    const size = shape[d] ?? 1;
    if (size === 1) continue;
    const strides = inputs.map((input) => {
      const inner = input.shape.length - rank + d;
      if (inner < 0 || input.shape[inner] === 1) return 0;
      return elementCount(input.shape.slice(inner + 1));
    });
    const outer = dims.at(-1);
    if (outer?.strides.every((stride, k) => stride === (strides[k] ?? 0) * size)) {
      outer.size *= size;
      outer.strides = strides;
    } else {
      dims.push({ size, strides });
    }
  }
  return dims.length > 0 ? dims : [{ size: 1, strides: inputs.map(() => 0) }];
}

function isScalar(dims: readonly Dim[], k: number): boolean {
  return dims.every(({ strides }) => strides[k] === 0);
}

function isDense(dims: readonly Dim[], k: number): boolean {
  let stride = 1;
  return dims.toReversed().every((dim) => {
    const fits = dim.strides[k] === stride;
    stride *= dim.size;
    return fits;
  });
}

/** WGSL index of operand `k`, in units of `width` elements. */
function offset(dims: readonly Dim[], k: number, width: number): string {
  if (isScalar(dims, k)) return '0u';
  if (isDense(dims, k)) return 'i';
  const terms = dims.flatMap(({ strides }, d) => {
    const stride = strides[k] ?? 0;
    if (stride === 0) return [];
    const last = d === dims.length - 1;
    const units = last ? 1 : stride / width;
    return [units === 1 ? `c${d}` : `c${d} * ${units}u`];
  });
  return terms.join(' + ');
}
