import { ShapeError } from '../../engine/errors.js';
import { at, type Binding, describe, type Op, type Shape, type Tensor } from '../../engine/graph/tensor.js';
import { flatStep } from '../common/grid.js';
import { requireVariable } from '../optimizer/flat-update.js';
import { IS_KNOWN } from './loss-entry.js';

/**
 * The last scores and labels of each class, in a ring a class: unknown labels take no place in it. All zero, it is empty.
 *
 * One variable [2M + 2, C]: M rows of logits, M of targets, how many of each class there are, and where its next one goes.
 * f32 counts exactly as far as M may reach.
 */
export function scoreMemoryShape(size: number, classes: number): Shape {
  return [2 * size + 2, classes];
}

/**
 * Puts a batch into the memory, over the oldest entries of each class. A logit that is no number is left out: it would
 * stay for many steps.
 * @param memory variable of `scoreMemoryShape` @param logits [N, C] f32 @param targets [N, C] f32; NaN is unknown
 */
export function rememberScores(memory: Tensor, logits: Tensor, targets: Tensor): void {
  requireVariable('rememberScores', 'memory', memory);
  memory.graph.apply(rememberScoresOp, [memory, logits, targets], undefined);
}

const rememberScoresOp: Op<undefined> = {
  name: 'rememberScores',
  mutates: [0],

  infer([memory, logits, targets]) {
    const [n, classes] = logits?.shape ?? [];
    const [rows, columns] = memory?.shape ?? [];
    const fits =
      columns === classes && rows !== undefined && rows >= 4 && rows % 2 === 0 && logits?.shape.length === 2;
    if (!fits || targets?.shape[0] !== n || targets?.shape[1] !== classes) {
      throw new ShapeError(
        'rememberScores: wants a memory [2M + 2, C], logits and targets [N, C], got ' +
          [memory, logits, targets].map((spec) => spec && describe(spec)).join(', '),
      );
    }
    return [];
  },

  flops: () => 0,

  variants: [
    {
      name: 'rings',
      unfit: () => undefined,
      rank: () => 1,
      build: ({ inputs }, traits) => {
        const [n = 1, classes = 1] = at(inputs, 1).shape;
        const size = at(at(inputs, 0).shape, 0) / 2 - 1;
        return { scratch: [], steps: [flatStep(rings({ n, classes, size }), traits)] };
      },
    },
  ],
};

function rings({ n, classes, size }: { n: number; classes: number; size: number }) {
  const bindings = (['memory', 'logits', 'targets'] as const).map(
    (name, index): Binding => ({
      name,
      operand: { kind: 'input', index },
      access: index === 0 ? 'read_write' : 'read',
      type: index === 0 ? 'f32' : 'u32',
    }),
  );
  return {
    count: classes,
    bindings,
    declarations: `fn isKnown(y: u32) -> bool { return ${IS_KNOWN}; }\n`,
    body: `var held = u32(memory[${2 * size * classes}u + id]);
  var next = u32(memory[${(2 * size + 1) * classes}u + id]);
  for (var i = 0u; i < ${n}u; i++) {
    let x = logits[i * ${classes}u + id];
    let y = targets[i * ${classes}u + id];
    if (isKnown(y) && (x & 0x7f800000u) != 0x7f800000u) {
      memory[next * ${classes}u + id] = bitcast<f32>(x);
      memory[(next + ${size}u) * ${classes}u + id] = bitcast<f32>(y);
      next = (next + 1u) % ${size}u;
      held = min(held + 1u, ${size}u);
    }
  }
  memory[${2 * size * classes}u + id] = f32(held);
  memory[${(2 * size + 1) * classes}u + id] = f32(next);`,
  };
}
