import type { Binding, DeviceTraits, Kernel, KernelStep, Problem } from '../../engine/graph/tensor.js';
import { flatStep } from '../common/grid.js';
import { literal } from '../pointwise/expression.js';
import { workgroupSum } from '../reduce/workgroup-sum.js';
import { BIT_CHECKS, batchOperands, scratch } from './batch-operands.js';
import type { PairLossAttributes } from './pair-attributes.js';

/**
 * The kernel of a loss over pairs, four dispatches whatever the size: which images of a class are positives; the sums of
 * each of them; one workgroup that adds up the classes; and the gradient of every entry. A lane walks all images that its own
 * is compared with, so no pair is ever stored: the memory is linear in the batch. A negative is compared with positives
 * only, and they are few. All sums are ordered: the same bits at every run.
 *
 * The images of a class are the batch's rows, then those in the memory, which have weight 1 and no gradient.
 */

const WORKGROUP = 64;
/** Terms that are added up before they join their sum: rounding grows with the length of both, not with their product. */
const BLOCK = 64;

export function pairKernel(
  { inputs, attributes }: Problem<PairLossAttributes>,
  traits: DeviceTraits,
): Kernel {
  const [n = 1, classes = 1] = inputs[0]?.shape ?? [];
  const layout: Layout = { attributes, n, classes, images: n + attributes.remembered, traits };
  return {
    scratch: [
      { kind: 'buffer', bytes: (layout.images + 1) * classes * 4 },
      { kind: 'buffer', bytes: classes * 8 },
      { kind: 'buffer', bytes: layout.images * classes * 16 },
    ],
    steps: [listPositives(layout), sumPairs(layout), addClasses(layout), writeGradient(layout)],
  };
}

interface Layout {
  readonly attributes: PairLossAttributes;
  readonly n: number;
  readonly classes: number;
  /** Of each class: the batch's and the remembered ones. */
  readonly images: number;
  readonly traits: DeviceTraits;
}

/** WGSL `imageOf(row, c)`: image `row` of class `c`, both of its weights 0 where it is unknown; and the loss's functions. */
function imageCode({ attributes, n, classes }: Layout): string {
  const { code, weighted, remembered, smoothing } = attributes;
  const past = `
  if (row >= ${n}u) {
    let slot = row - ${n}u;
    let held = f32(slot) < memory[${2 * remembered * classes}u + c];
    return imageFrom(memory[slot * ${classes}u + c], memory[(slot + ${remembered}u) * ${classes}u + c], select(0.0, 1.0, held));
  }`;
  return `
struct Image { x: f32, p: f32, n: f32 }
${BIT_CHECKS}
fn imageFrom(x: f32, y: f32, weight: f32) -> Image {
  let positive = y * ${literal(1 - smoothing)} + ${literal(smoothing / 2)};
  return Image(x, weight * positive, weight * (1.0 - positive));
}
fn imageOf(row: u32, c: u32) -> Image {${remembered > 0 ? past : ''}
  let at = row * ${classes}u + c;
  let x = logits[at];
  let y = targets[at];
  let known = isKnown(y);
  let weight = ${weighted ? 'sampleWeights[row]' : '1.0'};
  // a logit that is no number is seen where the classes are added up
  return imageFrom(select(0.0, bitcast<f32>(x), isFinite(x)), select(0.0, bitcast<f32>(y), known), select(0.0, weight, known));
}
${code}
`;
}

/** WGSL that walks `count` images in blocks, by their places `k`: `each` adds to `block`, of the type `type`. */
function walk(count: string, type: string, each: string): string {
  return `for (var first = 0u; first < ${count}; first += ${BLOCK}u) {
    var block = ${type}(0.0);
    for (var k = first; k < min(first + ${BLOCK}u, ${count}); k++) {
      ${each}
    }
    sum += block;
  }`;
}

/** A lane a class: leaves how many positives there are and then their rows, and the class's scale and whether it counts. */
function listPositives(layout: Layout): KernelStep {
  const { n, classes, images, traits } = layout;
  return flatStep(
    {
      count: classes,
      bindings: [
        ...operands(layout),
        scratch(0, 'positives', 'u32', 'read_write'),
        scratch(1, 'scales', 'vec2f', 'read_write'),
      ],
      declarations: imageCode(layout),
      body: `var count = 0u;
  // weights of positives and negatives
  var sum = vec2f(0.0);
  ${walk(
    `${images}u`,
    'vec2f',
    `let image = imageOf(k, id);
      block += vec2f(image.p, image.n);
      if (image.p > 0.0) {
        count++;
        positives[count * ${classes}u + id] = k;
      }`,
  )}
  positives[id] = count;
  // the bits of a logit that is no number, as those of a NaN
  var broken = 0u;
  for (var i = 0u; i < ${n}u; i++) {
    let x = logits[i * ${classes}u + id];
    let image = imageOf(i, id);
    if (!isFinite(x) && image.p + image.n > 0.0) { broken = x | 0x7fc00000u; }
  }
  let compared = sum.x > 0.0 && sum.y > 0.0;
  let usual = select(0.0, scaleOf(select(1.0, sum.x, compared), select(1.0, sum.y, compared)), compared);
  scales[id] = vec2f(select(bitcast<f32>(broken), usual, broken == 0u), select(0.0, 1.0, compared || broken != 0u));`,
    },
    traits,
  );
}

function sumPairs(layout: Layout): KernelStep {
  const { classes, images, traits } = layout;
  return flatStep(
    {
      count: images * classes,
      bindings: [
        ...operands(layout),
        scratch(0, 'positives', 'u32', 'read'),
        scratch(2, 'settledImages', 'vec4f', 'read_write'),
      ],
      declarations: imageCode(layout),
      // neighbouring lanes have neighbouring classes, whose first positives are beside each other
      body: `let place = id / ${classes}u;
  let c = id % ${classes}u;
  if (place >= positives[c]) { return; }
  let row = positives[(place + 1u) * ${classes}u + c];
  let mine = imageOf(row, c);
  var sum = own(mine);
  ${walk(`${images}u`, 'vec2f', 'if (k != row) { block += compared(mine, imageOf(k, c)); }')}
  settledImages[row * ${classes}u + c] = vec4f(settled(mine, sum), 0.0);`,
    },
    traits,
  );
}

function addClasses(layout: Layout): KernelStep {
  const { attributes, n, classes } = layout;
  const divisor = {
    mean: 'select(1.0, total, total > 0.0)',
    sum: '1.0',
    batchmean: literal(n),
  }[attributes.reduction];
  return {
    kind: 'dispatch',
    bindings: [
      scratch(0, 'positives', 'u32', 'read'),
      scratch(2, 'settledImages', 'vec4f', 'read'),
      scratch(1, 'scales', 'vec2f', 'read_write'),
      { name: 'loss_', operand: { kind: 'output', index: 0 }, access: 'read_write', type: 'f32' },
    ],
    workgroups: [1, 1, 1],
    code: `${workgroupSum(WORKGROUP)}
@compute @workgroup_size(${WORKGROUP}) fn main(@builtin(local_invocation_index) lane: u32) {
  var value = 0.0;
  var counted = 0.0;
  for (var c = lane; c < ${classes}u; c += ${WORKGROUP}u) {
    var sum = 0.0;
    ${walk('positives[c]', 'f32', `block += settledImages[positives[(k + 1u) * ${classes}u + c] * ${classes}u + c].x;`)}
    let scale = scales[c];
    value += select(0.0, scale.x * sum, scale.y > 0.0);
    counted += scale.y;
  }
  let total = workgroupSum(lane, counted);
  let all = workgroupSum(lane, value);
  let divisor = ${divisor};
  for (var c = lane; c < ${classes}u; c += ${WORKGROUP}u) { scales[c].x /= divisor; }
  if (lane == 0u) { loss_[0] = all / divisor; }
}`,
  };
}

function writeGradient(layout: Layout): KernelStep {
  const { n, classes, images, traits } = layout;
  return flatStep(
    {
      count: n * classes,
      bindings: [
        ...operands(layout),
        scratch(0, 'positives', 'u32', 'read'),
        scratch(2, 'settledImages', 'vec4f', 'read'),
        scratch(1, 'scales', 'vec2f', 'read'),
        { name: 'gradient', operand: { kind: 'output', index: 1 }, access: 'read_write', type: 'f32' },
      ],
      declarations: `${imageCode(layout)}
/** What the slope needs of an image; nothing was left for one that is no positive. */
fn keptOf(image: Image, at: u32) -> vec2f {
  if (image.p > 0.0) { return settledImages[at].yz; }
  return vec2f(0.0);
}
`,
      body: `let row = id / ${classes}u;
  let c = id % ${classes}u;
  let mine = imageOf(row, c);
  let known = mine.p + mine.n > 0.0;
  let kept = keptOf(mine, id);
  let all = mine.p > 0.0;
  var sum = 0.0;
  let count = select(0u, select(positives[c], ${images}u, all), known);
  ${walk(
    'count',
    'f32',
    `var j = k;
      if (!all) { j = positives[(k + 1u) * ${classes}u + c]; }
      let image = imageOf(j, c);
      if (j != row) { block += slope(mine, kept, image, keptOf(image, j * ${classes}u + c)); }`,
  )}
  gradient[id] = select(0.0, sum * scales[c].x, known);`,
    },
    traits,
  );
}

function operands({ attributes: { weighted, remembered } }: Layout): Binding[] {
  return batchOperands(weighted, remembered > 0 ? ['memory'] : []);
}
