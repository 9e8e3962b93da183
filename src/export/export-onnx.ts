import { at, type Node, type Tensor } from '../engine/graph/tensor.js';
import type { ModelDefinition } from '../models/model.js';
import type { SafetensorsTensor } from '../models/safetensors/safetensors.js';
import { toFloat32 } from '../models/safetensors/safetensors.js';
import { requireTensors } from '../models/weights/timm-weights.js';
import { COMPOSITE_RULES } from './composite-rules.js';
import { ExportError } from './export-error.js';
import { FreeSizes } from './free-sizes.js';
import { type OnnxAbout, type OnnxDimension, OnnxGraph } from './onnx-graph.js';
import { OP_RULES } from './op-rules.js';
import { CHANNELS_FIRST, inOrder, type StoredValue, Translation } from './translation.js';

/**
 * A network and its weights as an ONNX file. The network is traced in evaluation mode, as for running it here, and its
 * graph translated op by op (op-rules.ts), so that a new architecture needs nothing new as long as its ops are known.
 */
export interface OnnxExportOptions extends Omit<OnnxAbout, 'name'> {
  readonly definition: ModelDefinition;
  /** The weights by timm's names, in PyTorch's layouts. They become tensors of the file as they are. */
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
  /** [height, width] of an image. */
  readonly imageSize: readonly [number, number];
  /** Let the file take images of any size; not every head can. */
  readonly anyImageSize?: boolean;
}

/**
 * The bytes of an ONNX file (opset 17, f32). Its input `image` is [batch, channels, height, width], normalised; its
 * outputs are `logits` [batch, classes], `features` [batch, f], pooled, and `embedding` [batch, d] of heads that have
 * one. The batch is free.
 * @throws ExportError for what has no ONNX form; WeightsError when the weights are not the network's
 */
export function exportOnnx(options: OnnxExportOptions): Uint8Array {
  const { definition, tensors, imageSize, anyImageSize = false, ...about } = options;
  requireTensors(definition, tensors);
  const sizes = new FreeSizes(definition, imageSize, anyImageSize);
  const onnx = new OnnxGraph();
  const to = new Translation(onnx, sizes, (tensor) => load(tensor, options, onnx));
  const { images, graph } = sizes.base;
  const [height, width]: OnnxDimension[] = anyImageSize ? ['height', 'width'] : [...imageSize];
  const shape = ['batch', definition.config.inChannels, height ?? 0, width ?? 0];
  to.set(images, onnx.input('image', shape, 'normalised; see the metadata'), CHANNELS_FIRST);
  const outputs = OUTPUTS.flatMap(([name, text]) => {
    const tensor = sizes.base[name];
    return tensor ? [{ name, text, tensor }] : [];
  });
  translate(
    graph.nodes,
    outputs.map(({ tensor }) => tensor),
    to,
  );
  for (const { name, text, tensor } of outputs) {
    const dimensions = inOrder(tensor).map((axis) => sizes.fixed(tensor, axis) ?? 'batch');
    onnx.output(name, dimensions, to.ordered(tensor), text);
  }
  return onnx.encode({ name: definition.config.arch, ...about });
}

const OUTPUTS = [
  ['logits', 'one for each class; sigmoid gives probabilities'],
  ['features', 'of the image, pooled'],
  ['embedding', 'of length 1, to be compared with others'],
] as const;

/** Writes what the wanted tensors depend on, in the order in which it was traced. */
function translate(nodes: readonly Node[], wanted: readonly Tensor[], to: Translation): void {
  const { composites } = to.sizes.base.graph;
  const whole = (node: Node) => {
    const result = at(node.outputs, 0);
    const composite = composites.get(result);
    const rule = composite && COMPOSITE_RULES[composite.name];
    return rule && { composite, result, rule };
  };
  const needed = new Set(wanted);
  const kept = nodes.toReversed().filter((node) => {
    if (!node.outputs.some((output) => needed.has(output))) return false;
    for (const input of whole(node)?.composite.inputs ?? node.inputs) needed.add(input);
    return true;
  });
  for (const node of kept.reverse()) {
    to.scope = node.label.split('.').slice(0, -1).join('.');
    const composite = whole(node);
    if (composite) {
      composite.rule(composite.composite, composite.result, to);
      continue;
    }
    const rule = OP_RULES.get(node.op);
    if (!rule) {
      throw new ExportError(
        `${node.label}: the op "${node.op.name}" has no ONNX form: op-rules.ts needs a rule for it.`,
      );
    }
    rule(node, to);
  }
}

/** Weights and constants, when they are first asked for: what nothing uses is not in the file. */
function load(
  tensor: Tensor,
  { definition, tensors }: Pick<OnnxExportOptions, 'definition' | 'tensors'>,
  onnx: OnnxGraph,
): StoredValue {
  const { source, shape } = tensor;
  if (source.kind === 'constant' && source.values instanceof Float32Array) {
    return { name: onnx.initializer('constant', shape, source.values), axes: inOrder(tensor) };
  }
  const stored = source.kind === 'variable' ? tensors.get(source.name) : undefined;
  if (source.kind !== 'variable' || !stored) {
    throw new ExportError(`a ${source.kind} of type ${tensor.dtype} cannot be exported.`);
  }
  const layout = definition.parameters.find(({ name }) => name === source.name)?.layout ?? 'same';
  const own = inOrder(tensor);
  return {
    name: onnx.initializer(source.name, stored.shape, toFloat32(stored)),
    // [...kernel, in, out] lies as [out, in, ...kernel]
    axes: layout === 'same' ? own : [at(own, -1), at(own, -2), ...own.slice(0, -2)],
  };
}
