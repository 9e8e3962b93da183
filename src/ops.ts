/** The differentiable operations on symbolic tensors: the public namespace `ops`, for models and losses of one's own. */
export { scaledDotProductAttention } from './kernels/attention.js';
export { batchNorm, batchNormInference } from './kernels/batch-norm.js';
export { bmm } from './kernels/bmm.js';
export { conv2d, matmul } from './kernels/conv.js';
export { globalResponseNorm } from './kernels/global-response-norm.js';
export { layerNorm } from './kernels/layer-norm.js';
export { concat, pad, permute, slice, transpose } from './kernels/movement.js';
export {
  abs,
  add,
  broadcastTo,
  div,
  dropout,
  exp,
  gelu,
  greater,
  log,
  maximum,
  minimum,
  mul,
  neg,
  relu,
  rsqrt,
  sigmoid,
  sign,
  softplus,
  sqrt,
  square,
  sub,
  tanh,
} from './kernels/pointwise-table.js';
export { averagePool2d, globalAveragePool, maxPool2d } from './kernels/pool.js';
export { max, mean, sum } from './kernels/reduce.js';
export { reshape } from './kernels/reshape.js';
export { logSoftmax, softmax } from './kernels/softmax.js';
