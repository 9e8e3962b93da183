import { at, type Node } from '../engine/graph/tensor.js';
import type { AttentionGeometry } from '../kernels/attention/attention-geometry.js';
import { ExportError } from './export-error.js';
import type { Translation } from './translation.js';

/** Attention of several heads, which ONNX has no operator for in this opset, as products and a softmax between them. */
export function attentionRule(
  { inputs, outputs, attributes: g, label }: Node<AttentionGeometry>,
  to: Translation,
): void {
  if (g.masked)
    throw new ExportError(`${label}: attention over texts of several lengths has no ONNX form here.`);
  const rows = g.packed ? thirds(to.ordered(at(inputs, 0)), g, to) : inputs.map((input) => to.ordered(input));
  /** [n, tokens, heads · e] as [n, heads, …] */
  const perHead = (index: number, perm: readonly number[]) => {
    const split = to.emit('Reshape', [at(rows, index), to.integers([0, 0, g.heads, g.width])]);
    return to.emit('Transpose', [split], { perm: [...perm] });
  };
  const query = to.emit('Mul', [perHead(0, [0, 2, 1, 3]), to.scalar(g.scale)]);
  let scores = to.emit('MatMul', [query, perHead(1, [0, 2, 3, 1])]);
  if (g.causal) scores = to.emit('Add', [scores, causalMask(g, to)]);
  const weights = to.emit('Softmax', [scores], { axis: -1 });
  const attended = to.emit('MatMul', [weights, perHead(2, [0, 2, 1, 3])]);
  const joined = to.emit('Transpose', [attended], { perm: [0, 2, 1, 3] });
  to.set(at(outputs, 0), to.emit('Reshape', [joined, to.integers([0, 0, g.heads * g.width])]));
}

/** Queries, keys and values of one tensor [n, tokens, 3 · heads · e]. */
function thirds(packed: string, { heads, width }: AttentionGeometry, to: Translation): string[] {
  const row = heads * width;
  return [0, 1, 2].map((third) =>
    to.emit('Slice', [
      packed,
      ...[[third * row], [(third + 1) * row], [2]].map((values) => to.integers(values)),
    ]),
  );
}

/** [queries, keys]: 0 for keys that a query sees, and for later ones more than any score can make up for. */
function causalMask({ queries, keys }: AttentionGeometry, to: Translation): string {
  const values = Float32Array.from({ length: queries * keys }, (_, i) =>
    i % keys > Math.floor(i / keys) ? -1e30 : 0,
  );
  return to.onnx.initializer('constant', [queries, keys], values);
}
