import {
  type Binding,
  type DeviceTraits,
  elementCount,
  type Kernel,
  type Problem,
  type Shape,
  type TensorSpec,
  type Variant,
} from '../../engine/graph/tensor.js';
import { type Expression, emitSteps } from '../pointwise/expression.js';
import { storageType } from './storage-type.js';

/**
 * The work that a kernel still does on each element of its result before it is stored: a bias, a batch norm's scale and
 * shift, an activation, a residual. None of them costs a pass over memory of its own.
 *
 * A kernel that can do this stores each element of its result once, and in this way:
 *
 *     let operands = columnOperands(column);   // once for as many rows as it likes
 *     result[i] = finish(value, i, operands);
 *
 * where `i` is the element in units of T (`vec4f`, or `f32` where it stores one by one) and `column` the place in its row,
 * in the same units. `Epilogue.emit` declares both functions.
 */
export interface Epilogue {
  /** Length of the result's rows, where an operand depends on the place in the row. */
  readonly rowLength: number | undefined;
  emit(vector: boolean): { readonly declarations: string; readonly bindings: readonly Binding[] };
}

/** A variant whose kernel ends with an epilogue. Without one it stores its result as it is. */
export interface FinishingVariant<A> extends Variant<A> {
  readonly finishes: true;
  build(problem: Problem<A>, traits: DeviceTraits, epilogue?: Epilogue): Kernel;
}

export function isFinishing<A>(variant: Variant<A>): variant is FinishingVariant<A> {
  return 'finishes' in variant;
}

/** Stores the result as it is. */
export const NO_EPILOGUE: Epilogue = epilogueOf({ code: [], shape: [], resultAt: 0 }, [], 0);

/** An expression one of whose operands is the result of a kernel. Without code it is that result. */
export interface FinishingExpression extends Expression {
  readonly resultAt: number;
}

/**
 * @param operands the other operands of the expression, all of which `canFinish` allows
 * @param first the number of the node's input that the first of them is
 *
 * Sample (bias and ReLU behind a convolution):
 *
 *     alias T = f32;
 *     struct ColumnOperands { extra0: T }
 *     fn columnOperands(column: u32) -> ColumnOperands { return ColumnOperands(T(extras0[column])); }
 *     fn finish(value: T, i: u32, operands: ColumnOperands) -> T {
 *       let extra0 = operands.extra0;
 *       let v2: T = value + extra0;
 *       let v3: T = max(v2, T(0.0));
 *       return v3;
 *     }
 */
export function epilogueOf(
  { code, shape, resultAt }: FinishingExpression,
  operands: readonly TensorSpec[],
  first: number,
): Epilogue {
  return {
    rowLength: operands.some((operand) => extentOf(operand, shape) === 'row') ? shape.at(-1) : undefined,
    emit(vector) {
      const bindings: Binding[] = [];
      const fields: string[] = [];
      const loads: string[] = [];
      const lines: string[] = [];
      const names = operands.map((operand, k) => {
        const name = `extra${k}`;
        const array = `extras${k}`;
        const extent = extentOf(operand, shape);
        const type = storageType(operand, vector && extent !== 'scalar' ? 4 : 1);
        bindings.push({ name: array, operand: { kind: 'input', index: first + k }, access: 'read', type });
        if (extent === 'dense') {
          lines.push(`let ${name} = T(${array}[i]);`);
        } else {
          fields.push(`${name}: T`);
          loads.push(extent === 'row' ? `T(${array}[column])` : `T(f32(${array}[0]))`);
          lines.push(`let ${name} = operands.${name};`);
        }
        return name;
      });
      names.splice(resultAt, 0, 'value');
      const { lines: steps, libraries, result } = emitSteps({ code }, names, names.length, vector);
      const none = fields.length === 0;
      return {
        bindings,
        declarations: `alias T = ${vector ? 'vec4f' : 'f32'};
${libraries}
${none ? 'alias ColumnOperands = u32;' : `struct ColumnOperands { ${fields.join(', ')} }`}
fn columnOperands(column: u32) -> ColumnOperands { return ${none ? 'column' : `ColumnOperands(${loads.join(', ')})`}; }
fn finish(value: T, i: u32, operands: ColumnOperands) -> T {
  ${[...lines, ...steps].join('\n  ')}
  return ${code.length > 0 ? result : 'value'};
}
`,
      };
    },
  };
}

/**
 * Whether an operand can be read where a result of this shape is stored: it is as large, or one row for all rows, or a
 * scalar. The shape under which the epilogue sees the result must have rows of the same length.
 */
export function canFinish(operand: TensorSpec, shape: Shape): boolean {
  return operand.dtype !== 'u32' && extentOf(operand, shape) !== undefined;
}

/** Whether an operand that can finish has a value for each element of the result. */
export function isDense(operand: TensorSpec, shape: Shape): boolean {
  return extentOf(operand, shape) === 'dense';
}

function extentOf(operand: TensorSpec, shape: Shape): 'scalar' | 'row' | 'dense' | undefined {
  const count = elementCount(operand.shape);
  if (count === 1) return 'scalar';
  if (count === elementCount(shape)) return 'dense';
  return count === shape.at(-1) && count === operand.shape.at(-1) ? 'row' : undefined;
}
