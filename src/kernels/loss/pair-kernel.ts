import type {
  Binding,
  DeviceTraits,
  Kernel,
  KernelStep,
  Operand,
  Problem,
} from '../../engine/graph/tensor.js';
import { flatStep } from '../common/grid.js';
import { literal } from '../pointwise/expression.js';
import { workgroupSum } from '../reduce/workgroup-sum.js';
import { IS_KNOWN } from './loss-entry.js';
import type { PairLossAttributes } from './pair-attributes.js';

/**
 * The kernel of a loss over pairs, three dispatches whatever the size: the sums of every image of every class; one
 * workgroup that adds up the classes; and the gradient of every entry. A lane walks all images that its own is compared
 * with, so no pair is ever stored: the memory is linear in the batch. All sums are ordered: the same bits at every run.
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
      { kind: 'buffer', bytes: layout.images * classes * 16 },
      { kind: 'buffer', bytes: classes * 4 },
    ],
    steps: [sumPairs(layout), addClasses(layout), writeGradient(layout)],
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
fn isFinite(x: u32) -> bool { return (x & 0x7f800000u) != 0x7f800000u; }
fn isKnown(y: u32) -> bool { return ${IS_KNOWN}; }
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

/** WGSL that walks the images of a class from `first` on, in blocks: `each` adds to `block`, of the type `type`. */
function walk(images: number, type: string, each: string): string {
  return `for (var first = 0u; first < ${images}u; first += ${BLOCK}u) {
    var block = ${type}(0.0);
    for (var j = first; j < min(first + ${BLOCK}u, ${images}u); j++) {
      ${each}
    }
    sum += block;
  }`;
}

function sumPairs(layout: Layout): KernelStep {
  const { classes, images, traits } = layout;
  return flatStep(
    {
      count: images * classes,
      bindings: [...operands(layout), scratch(0, 'settledImages', 'vec4f', 'read_write')],
      declarations: imageCode(layout),
      // neighbouring lanes have neighbouring classes
      body: `let row = id / ${classes}u;
  let c = id % ${classes}u;
  let mine = imageOf(row, c);
  var result = vec3f(0.0);
  if (mine.p > 0.0) {
    var sum = own(mine);
    ${walk(images, 'vec2f', 'if (j != row) { block += compared(mine, imageOf(j, c)); }')}
    result = settled(mine, sum);
  }
  settledImages[id] = vec4f(result, 0.0);`,
    },
    traits,
  );
}

function addClasses(layout: Layout): KernelStep {
  const { attributes, n, classes, images } = layout;
  const { reduction } = attributes;
  const divisor = {
    mean: 'select(1.0, total, total > 0.0)',
    sum: '1.0',
    batchmean: literal(n),
  }[reduction];
  return {
    kind: 'dispatch',
    bindings: [
      ...operands(layout),
      scratch(0, 'settledImages', 'vec4f', 'read'),
      scratch(1, 'scales', 'f32', 'read_write'),
      { name: 'loss_', operand: { kind: 'output', index: 0 }, access: 'read_write', type: 'f32' },
    ],
    workgroups: [1, 1, 1],
    code: `${imageCode(layout)}${workgroupSum(WORKGROUP)}
@compute @workgroup_size(${WORKGROUP}) fn main(@builtin(local_invocation_index) lane: u32) {
  var value = 0.0;
  var counted = 0.0;
  for (var c = lane; c < ${classes}u; c += ${WORKGROUP}u) {
    // weights of positives and negatives, and the costs
    var sum = vec3f(0.0);
    ${walk(
      images,
      'vec3f',
      `let image = imageOf(j, c);
      block += vec3f(image.p, image.n, settledImages[j * ${classes}u + c].x);`,
    )}
    // the bits of a logit that is no number, NaN if it is infinite
    var broken = 0u;
    for (var i = 0u; i < ${n}u; i++) {
      let x = logits[i * ${classes}u + c];
      let image = imageOf(i, c);
      if (!isFinite(x) && image.p + image.n > 0.0) { broken = x | 0x7fc00000u; }
    }
    let counts = (sum.x > 0.0 && sum.y > 0.0) || broken != 0u;
    let usual = scaleOf(select(1.0, sum.x, counts), select(1.0, sum.y, counts));
    let scale = select(0.0, select(bitcast<f32>(broken), usual, broken == 0u), counts);
    scales[c] = scale;
    value += select(0.0, scale * sum.z, counts);
    counted += select(0.0, 1.0, counts);
  }
  let total = workgroupSum(lane, counted);
  let all = workgroupSum(lane, value);
  let divisor = ${divisor};
  for (var c = lane; c < ${classes}u; c += ${WORKGROUP}u) { scales[c] /= divisor; }
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
        scratch(0, 'settledImages', 'vec4f', 'read'),
        scratch(1, 'scales', 'f32', 'read'),
        { name: 'gradient', operand: { kind: 'output', index: 1 }, access: 'read_write', type: 'f32' },
      ],
      declarations: imageCode(layout),
      body: `let row = id / ${classes}u;
  let c = id % ${classes}u;
  let mine = imageOf(row, c);
  let kept = settledImages[id].yz;
  let known = mine.p + mine.n > 0.0;
  var sum = 0.0;
  if (known) {
    ${walk(images, 'f32', `if (j != row) { block += slope(mine, kept, imageOf(j, c), settledImages[j * ${classes}u + c].yz); }`)}
  }
  gradient[id] = select(0.0, sum * scales[c], known);`,
    },
    traits,
  );
}

function operands({ attributes: { weighted, remembered } }: Layout): Binding[] {
  const names = [
    'logits',
    'targets',
    ...(weighted ? ['sampleWeights'] : []),
    ...(remembered > 0 ? ['memory'] : []),
  ];
  return names.map((name, index) => ({
    name,
    operand: { kind: 'input', index },
    access: 'read',
    type: name === 'logits' || name === 'targets' ? 'u32' : 'f32',
  }));
}

function scratch(index: number, name: string, type: string, access: Binding['access']): Binding {
  const operand: Operand = { kind: 'scratch', index };
  return { name, operand, access, type };
}
