import { type PaddedImage, rowTexelsOf, type Stored } from '../common/texture-operand.js';
import type { ConvGeometry } from './conv-geometry.js';

/**
 * A convolution and its input gradient as the same thing: for each output pixel, a grid of taps on a padded input. A
 * strided input gradient is one such gather for each residue of the pixel position modulo the stride, each with its own
 * taps, so that no zero is ever multiplied.
 */

/** One axis of a pass: which taps of the kernel meet the output pixels of one residue class, and where. */
export interface TapAxis {
  /** Output pixels `first`, `first + step`, … */
  readonly first: number;
  readonly step: number;
  readonly count: number;
  /** Padded input position of output pixel 0 and tap 0; `advance` a pixel, `tapStep` a tap. */
  readonly origin: number;
  readonly advance: number;
  readonly tapStep: number;
  /** Kernel indices of the taps, in the order in which the input is walked. */
  readonly taps: readonly number[];
}

export interface Gather {
  readonly image: PaddedImage;
  /** Output channels, and size of the output image. */
  readonly channels: number;
  /** Input and output channels are cut into this many groups that do not mix. */
  readonly groups: number;
  readonly outH: number;
  readonly outW: number;
  readonly passes: readonly { readonly y: TapAxis; readonly x: TapAxis }[];
  readonly kh: number;
  readonly kw: number;
  /** Weights as they lie: [tap][from][to], or transposed [tap][to][from], where the first of the two is within its group. */
  readonly transposed: boolean;
}

/**
 * A convolution that looks at one pixel at a time (1×1, and so every matrix product) does not care how its pixels are
 * arranged: they become rows of few pixels, where possible of as many as fill the rows of a texture, so that an image of
 * `channels` can be copied as it lies.
 */
export function pixelwise(g: ConvGeometry, channels: number, stored: Stored, maxSide: number): ConvGeometry {
  const { n, h, w, oh, ow, kh, kw, strideY, strideX, padTop, padLeft, groups } = g;
  const alone = kh === 1 && kw === 1 && strideY === 1 && strideX === 1 && groups === 1;
  if (!alone || padTop !== 0 || padLeft !== 0 || oh !== h || ow !== w) return g;
  const pixels = n * h * w;
  const texels = Math.ceil(channels / 4);
  const sides = [];
  for (let side = 1; side * texels <= maxSide && side <= pixels; side++) {
    if (pixels % side === 0 && pixels / side <= maxSide) sides.push(side);
  }
  const side = sides.find((candidate) => (candidate * texels) % rowTexelsOf(stored) === 0) ?? sides[0];
  return side === undefined ? g : { ...g, n: pixels / side, h: 1, w: side, oh: 1, ow: side };
}

/**
 * Where an image is cut into patches, a row of a patch is one pixel with all its channels: image and weights lie in memory
 * in the same way. So the few channels of an image fill texels, which would be padded and packed otherwise.
 */
export function patchwise(g: ConvGeometry): ConvGeometry {
  const { w, ow, c, kw, strideX, dilationX, padLeft, groups } = g;
  const sideBySide =
    kw > 1 && strideX === kw && dilationX === 1 && padLeft === 0 && ow * kw === w && groups === 1;
  return sideBySide ? { ...g, w: ow, c: kw * c, kw: 1, strideX: 1 } : g;
}

export function forwardGather(g: ConvGeometry): Gather {
  const image = {
    n: g.n,
    h: g.h,
    w: g.w,
    c: g.c,
    top: g.padTop,
    left: g.padLeft,
    paddedH: (g.oh - 1) * g.strideY + (g.kh - 1) * g.dilationY + 1,
    paddedW: (g.ow - 1) * g.strideX + (g.kw - 1) * g.dilationX + 1,
  };
  const axis = (size: number, stride: number, kernel: number, dilation: number): TapAxis => ({
    first: 0,
    step: 1,
    count: size,
    origin: 0,
    advance: stride,
    tapStep: dilation,
    taps: Array.from({ length: kernel }, (_, k) => k),
  });
  const pass = { y: axis(g.oh, g.strideY, g.kh, g.dilationY), x: axis(g.ow, g.strideX, g.kw, g.dilationX) };
  return {
    image,
    channels: g.o,
    groups: g.groups,
    outH: g.oh,
    outW: g.ow,
    passes: [pass],
    kh: g.kh,
    kw: g.kw,
    transposed: false,
  };
}

/** dx[i] = Σ over taps k with (i + pad − k·dilation) divisible by the stride of dy[(i + pad − k·dilation) / stride]·w[k]. */
export function inputGradientGather(g: ConvGeometry): Gather {
  const ys = gradientAxes(g.h, g.kh, g.strideY, g.padTop, g.dilationY);
  const xs = gradientAxes(g.w, g.kw, g.strideX, g.padLeft, g.dilationX);
  const reach = (axes: readonly TapAxis[]) => {
    const used = axes.filter((axis) => axis.taps.length > 0);
    if (used.length === 0) return { low: 0, size: 1 };
    const low = Math.min(...used.map((axis) => axis.origin));
    const high = Math.max(
      ...used.map(
        (axis) => axis.origin + (axis.count - 1) * axis.advance + (axis.taps.length - 1) * axis.tapStep,
      ),
    );
    return { low, size: high - low + 1 };
  };
  const y = reach(ys);
  const x = reach(xs);
  const shift = (axis: TapAxis, low: number): TapAxis => ({ ...axis, origin: axis.origin - low });
  return {
    image: { n: g.n, h: g.oh, w: g.ow, c: g.o, top: -y.low, left: -x.low, paddedH: y.size, paddedW: x.size },
    channels: g.c,
    groups: g.groups,
    outH: g.h,
    outW: g.w,
    passes: ys.flatMap((a) => xs.map((b) => ({ y: shift(a, y.low), x: shift(b, x.low) }))),
    kh: g.kh,
    kw: g.kw,
    transposed: true,
  };
}

function gradientAxes(
  size: number,
  kernel: number,
  stride: number,
  pad: number,
  dilation: number,
): TapAxis[] {
  const axes: TapAxis[] = [];
  for (let first = 0; first < Math.min(stride, size); first++) {
    // Largest tap first: it meets the earliest position of dy.
    const taps = Array.from({ length: kernel }, (_, k) => k)
      .filter((k) => (((first + pad - k * dilation) % stride) + stride) % stride === 0)
      .reverse();
    const [largest = 0, next = largest] = taps;
    axes.push({
      first,
      step: stride,
      count: Math.ceil((size - first) / stride),
      origin: (first + pad - largest * dilation) / stride,
      advance: 1,
      tapStep: ((largest - next) * dilation) / stride,
      taps,
    });
  }
  return axes;
}
