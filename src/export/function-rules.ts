import { at } from '../engine/graph/tensor.js';
import type { Translation } from './translation.js';

/**
 * Element-wise functions as ONNX nodes, a row each, by the names that they have in src/kernels. Those of training alone
 * (dropout, slopes) are not here.
 *
 * @param args names of the operands @param params literals of this application @returns name of the result
 */
export type FunctionRule = (
  to: Pick<Translation, 'emit' | 'scalar'>,
  args: readonly string[],
  params: readonly number[],
) => string;

/** TensorProto.DataType */
const FLOAT = 1;

export const FUNCTION_RULES: Readonly<Record<string, FunctionRule>> = {
  neg: node('Neg'),
  relu: node('Relu'),
  sigmoid: node('Sigmoid'),
  tanh: node('Tanh'),
  softplus: node('Softplus'),
  exp: node('Exp'),
  log: node('Log'),
  sqrt: node('Sqrt'),
  root: node('Sqrt'),
  abs: node('Abs'),
  sign: node('Sign'),
  add: node('Add'),
  sub: node('Sub'),
  mul: node('Mul'),
  div: node('Div'),
  maximum: node('Max'),
  minimum: node('Min'),
  addScalar: node('Add'),
  mulScalar: node('Mul'),
  rsubScalar: (to, [x = ''], [c = 0]) => to.emit('Sub', [to.scalar(c), x]),
  greater: comparison('Greater'),
  greaterScalar: comparison('Greater'),
  square: (to, [x = '']) => to.emit('Mul', [x, x]),
  rsqrt: (to, args) => to.emit('Reciprocal', [to.emit('Sqrt', args)]),
  /** ½·x·(1 + erf(x/√2)) in the order of PyTorch's exporter, by which runtimes know it; Gelu itself needs opset 20. */
  gelu: (to, [x = '']) => {
    const error = to.emit('Erf', [to.emit('Div', [x, to.scalar(Math.SQRT2)])]);
    return to.emit('Mul', [to.emit('Mul', [x, to.emit('Add', [error, to.scalar(1)])]), to.scalar(0.5)]);
  },
  /** The spreading is for whoever knows the shapes. */
  broadcast: (_to, args) => at(args, 0),
};

/** One node over the operands and, behind them, the literals. */
function node(operator: string): FunctionRule {
  return (to, args, params) => to.emit(operator, [...args, ...params.map((value) => to.scalar(value))]);
}

/** 1 or 0 instead of true or false. */
function comparison(operator: string): FunctionRule {
  return (to, args, params) => to.emit('Cast', [node(operator)(to, args, params)], { to: FLOAT });
}
