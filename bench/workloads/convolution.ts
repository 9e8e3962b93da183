import { applyOne, at, type Op, type Shape } from '#src/engine/graph/tensor.js';
import { convInputGradientOp, convOp, convWeightGradientOp } from '#src/kernels/conv/conv.js';
import { type ConvGeometry, convFlops, convGeometry } from '#src/kernels/conv/conv-geometry.js';
import type { Jax, JaxArray } from '../contenders/jax.js';
import type { Tf, TfTensor } from '../contenders/tfjs.js';
import type { TensorForm } from '../entrant.js';
import { type TensorOperation, tensorOperation } from '../tensor-operation.js';
import type { Workload } from '../workload.js';

/** Convolutions of residual networks in all three directions, and depthwise ones of ConvNeXt's. */

interface Layer {
  readonly name: string;
  /** [n, h, w, c] */
  readonly x: Shape;
  readonly kernel: number;
  /** Output channels. */
  readonly outputs: number;
  readonly stride?: number;
  /** One filter a channel instead of sums over channels. */
  readonly depthwise?: boolean;
  readonly settings?: string;
  /** The other directions are not measured. */
  readonly only?: 'forward';
}

const LAYERS: readonly Layer[] = [
  { name: 'conv3x3', x: [8, 32, 32, 64], kernel: 3, outputs: 64 },
  { name: 'conv3x3', x: [4, 56, 56, 64], kernel: 3, outputs: 64 },
  {
    name: 'conv3x3',
    x: [1, 256, 256, 64],
    kernel: 3,
    outputs: 128,
    settings: "the size of jax-js's own benchmark of convolutions (jax-js.com/bench/conv2d, 4cb734f)",
    only: 'forward',
  },
  { name: 'conv3x3-stride2', x: [8, 32, 32, 64], kernel: 3, outputs: 128, stride: 2 },
  { name: 'conv7x7-stem', x: [8, 64, 64, 3], kernel: 7, outputs: 64, stride: 2 },
  { name: 'conv1x1', x: [8, 32, 32, 256], kernel: 1, outputs: 64 },
  { name: 'depthwise7x7', x: [8, 32, 32, 64], kernel: 7, outputs: 64, depthwise: true },
  { name: 'depthwise7x7', x: [4, 28, 28, 96], kernel: 7, outputs: 96, depthwise: true },
];

export const convolutions: readonly Workload[] = LAYERS.flatMap((layer) => {
  const { x, kernel, outputs, stride = 1, depthwise = false } = layer;
  const channels = at(x, 3);
  const groups = depthwise ? channels : 1;
  const filter = [kernel, kernel, channels / groups, outputs];
  const g = convGeometry(x, filter, { stride, padding: (kernel - 1) / 2, groups });
  const { settings, only } = layer;
  const directions = only ? [forward(g)] : [forward(g), inputGradient(g), weightGradient(g)];
  return directions.map((direction) =>
    tensorOperation({
      ...direction,
      name: `${layer.name}-${x.join('x')}`,
      shape: `${x.join('×')} → ${g.oh}×${g.ow}×${g.o}`,
      flops: convFlops(g),
      ...(settings !== undefined && { settings }),
      halves: true,
    }),
  );
});

type OneDirection = Omit<TensorOperation, 'name' | 'shape' | 'flops'>;

function forward(g: ConvGeometry): OneDirection {
  const padding = sides(g.padTop, g.padTop);
  return {
    direction: 'forward',
    operands: [input(g), weights(g)],
    results: [output(g)],
    tailray: traced(convOp, g),
    tfjs: (tf, [x, w]) =>
      x && w
        ? [
            (depthwise(g) ? tf.depthwiseConv2d : tf.conv2d)(
              x,
              tfFilter(tf, w, g),
              g.strideY,
              g.padTop,
              'NHWC',
              1,
              'floor',
            ),
          ]
        : [],
    jax: ({ lax }, x) => [
      lax.convGeneralDilated(at(x, 0), at(x, 1), strides(g), padding, { featureGroupCount: g.groups }),
    ],
    onnx: {
      op: 'Conv',
      attributes: { group: g.groups, strides: strides(g), pads: [g.padTop, g.padLeft, g.padTop, g.padLeft] },
    },
    pytorch: `F.conv2d(x0, x1, stride=${g.strideY}, padding=${g.padTop}, groups=${g.groups})`,
  };
}

function inputGradient(g: ConvGeometry): OneDirection {
  return {
    direction: 'dX',
    operands: [output(g), weights(g)],
    results: [input(g)],
    tailray: traced(convInputGradientOp, g),
    tfjs: (tf, [dy, w]) => {
      if (!dy || !w) return [];
      const filter = tfFilter(tf, w, g);
      const kernel = depthwise(g) ? 'DepthwiseConv2dNativeBackpropInput' : 'Conv2DBackpropInput';
      return [
        tf.engine().runKernel(kernel, { dy, filter }, { ...tfGeometry(g), inputShape: input(g).shape }),
      ];
    },
    jax: (jax, x) => [jaxInputGradient(jax, at(x, 0), at(x, 1), g)],
    pytorch: `torch.nn.grad.conv2d_input([${[g.n, g.c, g.h, g.w]}], x1, x0, ${torchOptions(g)})`,
  };
}

function weightGradient(g: ConvGeometry): OneDirection {
  return {
    direction: 'dW',
    operands: [input(g), output(g)],
    results: [weights(g)],
    tailray: traced(convWeightGradientOp, g),
    tfjs: (tf, [x, dy]) => {
      if (!x || !dy) return [];
      const kernel = depthwise(g) ? 'DepthwiseConv2dNativeBackpropFilter' : 'Conv2DBackpropFilter';
      return [tf.engine().runKernel(kernel, { x, dy }, { ...tfGeometry(g), filterShape: tfFilterShape(g) })];
    },
    jax: (jax, x) => [jaxWeightGradient(jax, at(x, 0), at(x, 1), g)],
    pytorch: `torch.nn.grad.conv2d_weight(x0, [${[g.o, g.c / g.groups, g.kh, g.kw]}], x1, ${torchOptions(g)})`,
  };
}

function traced(op: Op<ConvGeometry>, g: ConvGeometry): TensorOperation['tailray'] {
  return (x) => [applyOne(op, [at(x, 0), at(x, 1)], g)];
}

function input({ n, h, w, c }: ConvGeometry): TensorForm {
  return { shape: [n, h, w, c], layout: 'image' };
}

function weights({ kh, kw, c, groups, o }: ConvGeometry): TensorForm {
  return { shape: [kh, kw, c / groups, o], layout: 'filter' };
}

function output({ n, oh, ow, o }: ConvGeometry): TensorForm {
  return { shape: [n, oh, ow, o], layout: 'image' };
}

function depthwise({ groups }: ConvGeometry): boolean {
  return groups > 1;
}

function strides({ strideY, strideX }: ConvGeometry): number[] {
  return [strideY, strideX];
}

function sides(before: number, after: number): [[number, number], [number, number]] {
  return [
    [before, after],
    [before, after],
  ];
}

/** A depthwise filter is [kh, kw, c, 1] there: the same numbers in the same order. */
function tfFilterShape({ kh, kw, c, o, groups }: ConvGeometry): Shape {
  return groups > 1 ? [kh, kw, c, 1] : [kh, kw, c, o];
}

function tfFilter(tf: Tf, w: TfTensor, g: ConvGeometry): TfTensor {
  return depthwise(g) ? tf.reshape(w, tfFilterShape(g)) : w;
}

/** Attributes of tfjs's gradient kernels, which are called as its own gradients call them. */
function tfGeometry(g: ConvGeometry): object {
  return { strides: strides(g), pad: g.padTop, dataFormat: 'NHWC', dimRoundingMode: 'floor', dilations: 1 };
}

/** Rows and columns that the forward pass leaves out at the far end, being less than a stride. */
function leftOver(g: ConvGeometry): number {
  return g.h + 2 * g.padTop - g.kh - (g.oh - 1) * g.strideY;
}

/** What jax's own rule makes of the transpose of a convolution: dy, spread by the stride, with the filter turned round. */
function jaxInputGradient({ numpy, lax }: Jax, dy: JaxArray, w: JaxArray, g: ConvGeometry): JaxArray {
  const turned = numpy.flip(w, [2, 3]);
  // [o, c / groups, …] → [c, o / groups, …]; with one filter a channel both are [c, 1, …]
  const filter = depthwise(g) ? turned : numpy.transpose(turned, [1, 0, 2, 3]);
  const edge = g.kh - 1 - g.padTop;
  return lax.convGeneralDilated(dy, filter, [1, 1], sides(edge, edge + leftOver(g)), {
    lhsDilation: strides(g),
    featureGroupCount: g.groups,
  });
}

/** The same for the filter: a convolution of x by dy that sums over images and pixels. */
function jaxWeightGradient({ numpy, lax }: Jax, x: JaxArray, dy: JaxArray, g: ConvGeometry): JaxArray {
  const padding = sides(g.padTop, g.padTop - leftOver(g));
  const swapped = numpy.transpose(x, [1, 0, 2, 3]);
  const filter = numpy.transpose(dy, [1, 0, 2, 3]);
  if (!depthwise(g)) {
    const dw = lax.convGeneralDilated(swapped, filter, [1, 1], padding, { rhsDilation: strides(g) });
    return numpy.transpose(dw, [1, 0, 2, 3]);
  }
  // a group a channel: x [1, c·n, h, w] by dy [c, n, oh, ow] gives [1, c, kh, kw]
  const channels = swapped.reshape([1, g.c * g.n, g.h, g.w]);
  const dw = lax.convGeneralDilated(channels, filter, [1, 1], padding, {
    rhsDilation: strides(g),
    featureGroupCount: g.groups,
  });
  return dw.reshape([g.o, 1, g.kh, g.kw]);
}

function torchOptions(g: ConvGeometry): string {
  return `stride=${g.strideY}, padding=${g.padTop}, groups=${g.groups}`;
}
