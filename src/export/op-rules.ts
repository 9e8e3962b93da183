import type { Node, Op } from '../engine/graph/tensor.js';
import { attentionOp } from '../kernels/attention/attention.js';
import { convOp } from '../kernels/conv/conv.js';
import { layerNormOp } from '../kernels/norm/layer-norm.js';
import { pointwiseOp } from '../kernels/pointwise/pointwise.js';
import { bmmOp } from '../kernels/product/bmm.js';
import { reduceOp } from '../kernels/reduce/reduce.js';
import { concatOp, padOp, permuteOp, sliceOp } from '../kernels/shape/movement.js';
import { averagePoolOp, maxPoolOp } from '../kernels/shape/pool.js';
import { reshapeOp } from '../kernels/shape/reshape.js';
import { attentionRule } from './attention-rule.js';
import { averagePoolRule, convRule, maxPoolRule } from './conv-rules.js';
import { layerNormRule } from './norm-rules.js';
import { pointwiseRule } from './pointwise-rule.js';
import { bmmRule } from './product-rules.js';
import { concatRule, padRule, permuteRule, reduceRule, reshapeRule, sliceRule } from './shape-rules.js';
import type { Translation } from './translation.js';

/** How each op of a network is written in ONNX: notes in the translation where its results lie. */
export type OpRule = (node: Node, to: Translation) => void;

export const OP_RULES: ReadonlyMap<Op, OpRule> = new Map([
  rule(convOp, convRule),
  rule(bmmOp, bmmRule),
  rule(attentionOp, attentionRule),
  rule(maxPoolOp, maxPoolRule),
  rule(averagePoolOp, averagePoolRule),
  rule(pointwiseOp, pointwiseRule),
  rule(layerNormOp, layerNormRule),
  rule(reduceOp, reduceRule),
  rule(reshapeOp, reshapeRule),
  rule(permuteOp, permuteRule),
  rule(concatOp, concatRule),
  rule(sliceOp, sliceRule),
  rule(padOp, padRule),
]);

/** The rule's attributes are the op's. */
function rule<A>(op: Op<A>, write: (node: Node<A>, to: Translation) => void): [Op, OpRule] {
  return [op as Op, (node, to) => write(node as Node<A>, to)];
}
