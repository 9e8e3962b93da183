/** The differentiable operations on symbolic tensors: the public namespace `ops`, for models and losses of one's own. */

export { attention, selfAttention } from './kernels/attention/attention.js';
export { conv2d, matmul } from './kernels/conv/conv.js';
export { gather } from './kernels/lookup/gather.js';
export { lookup } from './kernels/lookup/lookup.js';
export { batchNorm, batchNormInference } from './kernels/norm/batch-norm.js';
export { globalResponseNorm } from './kernels/norm/global-response-norm.js';
export { layerNorm } from './kernels/norm/layer-norm.js';
export { quickGelu, silu } from './kernels/pointwise/activations.js';
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
} from './kernels/pointwise/pointwise-table.js';
export { where } from './kernels/pointwise/where.js';
export { scaledDotProductAttention } from './kernels/product/attention.js';
export { bmm } from './kernels/product/bmm.js';
export { argmax } from './kernels/reduce/argmax.js';
export { max, mean, sum } from './kernels/reduce/reduce.js';
export { logSoftmax, softmax } from './kernels/reduce/softmax.js';
export { concat, pad, permute, slice, transpose } from './kernels/shape/movement.js';
export { averagePool2d, globalAveragePool, maxPool2d } from './kernels/shape/pool.js';
export { reshape } from './kernels/shape/reshape.js';
