import type { Binding, Operand, Shape, TensorSpec } from '../../engine/graph/tensor.js';
import { storageType } from '../common/storage-type.js';
import { type Expression, emitSteps } from './expression.js';
import { collapse, type Dim, isDense, isScalar, offset, unravelIndex } from './expression-dims.js';

/**
 * An expression evaluated down the columns of its result: rows are all axes but the last run of them that is dense in
 * every operand. A lane stays in its column, so values that do not depend on the row are loaded once.
 */
export interface WalkExtent {
  readonly rows: number;
  /** In elements. */
  readonly columns: number;
  /** Whether an operand is one row for all rows, e.g. a bias. */
  readonly sharedRows: boolean;
}

/** Undefined where no operand is broadcast (scalars aside): there are no rows then. */
export function walkExtent(inputs: readonly TensorSpec[], shape: Shape): WalkExtent | undefined {
  const dims = collapse(inputs, shape);
  const columns = dims.at(-1)?.size ?? 1;
  if (dims.length < 2) return undefined;
  return {
    rows: dims.slice(0, -1).reduce((product, { size }) => product * size, 1),
    columns,
    sharedRows: inputs.some(({ dtype }, k) => dtype !== 'u32' && isOneRow(dims, k)),
  };
}

/**
 * WGSL for a lane that stays in one column: `prepare` loads the values that all rows share, for `column` in units of T; `lines`
 * then load and compute at `row`, where `i` is the element, and `value` names the result.
 */
export function emitWalk(
  { code, shape, first }: Expression,
  inputs: readonly TensorSpec[],
  vector: boolean,
): { library: string; prepare: string; lines: string; value: string; bindings: Binding[] } {
  const dims = collapse(inputs, shape);
  const outer = dims.slice(0, -1);
  const bindings: Binding[] = [];
  const prepare: string[] = [];
  const loads: string[] = [];
  let coordinates = '';
  const names = inputs.map((input, k) => {
    const operand: Operand = { kind: 'input', index: k };
    if (input.dtype === 'u32') {
      bindings.push({ name: `x${k}`, operand, access: 'read', type: 'u32' });
      return `x${k}`;
    }
    const byFours = vector && dims.at(-1)?.strides[k] === 1;
    bindings.push({ name: `x${k}`, operand, access: 'read', type: storageType(input, byFours ? 4 : 1) });
    const load = (index: string) =>
      `let v${k} = T(${vector && !byFours ? `f32(x${k}[${index}])` : `x${k}[${index}]`});`;
    if (isScalar(dims, k)) prepare.push(load('0u'));
    else if (isOneRow(dims, k)) prepare.push(load('column'));
    else {
      if (!isDense(dims, k)) {
        coordinates = `${unravelIndex(
          outer.map(({ size }) => size),
          'row',
        )} let c${outer.length} = column;`;
      }
      loads.push(load(offset(dims, k, byFours ? 4 : 1)));
    }
    return `v${k}`;
  });
  const { lines, libraries, result } = emitSteps({ code, first }, names, inputs.length, vector);
  return {
    library: `alias T = ${vector ? 'vec4f' : 'f32'};\n${libraries}\n`,
    prepare: prepare.join(' '),
    lines: [coordinates, ...loads, ...lines].join('\n    '),
    value: result,
    bindings,
  };
}

function isOneRow(dims: readonly Dim[], k: number): boolean {
  return dims.every(({ strides }, d) => strides[k] === (d === dims.length - 1 ? 1 : 0));
}
