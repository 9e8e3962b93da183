import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import { RANGE_ALIGNMENT } from '../../engine/arena.js';
import { ShapeError } from '../../engine/errors.js';
import {
  type Binding,
  describe,
  elementCount,
  type Op,
  type Tensor,
  type TensorSpec,
} from '../../engine/graph/tensor.js';
import { streamStep } from '../common/grid.js';

/**
 * The shape that all optimizers share: walk whole arena shards once, update parameters and state in place, four
 * elements at a time, with the moving average of the parameters and their f16 copy folded in. An optimizer adds its rule
 * only (src/optimizers).
 *
 * A shard is a row of blocks of `RANGE_ALIGNMENT` elements, and no parameter shares a block with another (`RANGE_ALIGNMENT`). So a
 * table with one entry a block gives every parameter its own learning rate and decay, in one dispatch.
 */
export interface FlatUpdateRule {
  readonly name: string;
  /** Whole-shard operands that are updated beside the parameters, e.g. the moments. */
  readonly state: readonly string[];
  /** Names of the numbers that change from step to step, as the WGSL calls them. */
  readonly hyper: readonly string[];
  /** Floating-point operations of one element. */
  readonly flops: number;
  /**
   * WGSL statements that update element group `i`: `params[i]` and each state, from `gradient` (a vec4f, clipped),
   * `rate` and `decay` (f32, learning-rate scale and weight decay of the block) and the `hyper` numbers (f32).
   * They leave the new parameters in a vec4f named `updated`.
   */
  readonly wgsl: string;
}

/** What one update of a shard reads and writes. */
export interface FlatUpdate {
  /** Variable: a whole shard of parameters, see `ArenaLayout.shardVariables`. Updated. */
  readonly params: Tensor;
  /** Variables like `params`, one for each name of the rule's `state`. Updated. */
  readonly state: Readonly<Record<string, Tensor>>;
  /** As many gradients. */
  readonly grads: Tensor;
  /** [blocks, 2]: learning-rate scale and weight decay of each block of `RANGE_ALIGNMENT` elements; see `buildDecayTable`. */
  readonly table: Tensor;
  /** [`hyperLength(rule)`]: the step's numbers, from `packHyper`. */
  readonly hyper: Tensor;
  /** [1]: every gradient is multiplied by it; negative: the step leaves all untouched. See `clipFactor`. */
  readonly clip: Tensor;
  /** Variable: exponential moving average of the parameters (EMA), updated after them where given. */
  readonly average?: Tensor | undefined;
  /** Variable of f16: a copy of the updated parameters, for the kernels of a mixed-precision step. */
  readonly copy?: Tensor | undefined;
}

/** Traces the update of one shard, in place. @throws ShapeError where an operand does not fit the shard */
export function flatUpdate(rule: FlatUpdateRule, update: FlatUpdate): void {
  const { params, grads, table, hyper, clip, average, copy } = update;
  const state = rule.state.map((name) => {
    const tensor = update.state[name];
    if (!tensor) throw new ShapeError(`${rule.name}: no ${name} was given`);
    return [name, tensor] as const;
  });
  const changing = { params, ...Object.fromEntries(state), average, copy };
  for (const [name, tensor] of Object.entries(changing)) {
    if (tensor) requireVariable(rule.name, name, tensor);
  }
  const operands: Operands = [
    ['params', params],
    ...state,
    ['grads', grads],
    ['table', table],
    ['hyper', hyper],
    ['clip', clip],
    ...(average ? [['average', average] as const] : []),
    ...(copy ? [['copy', copy] as const] : []),
  ];
  const op = flatUpdateOp(
    rule,
    operands.map(([name]) => name),
  );
  params.graph.apply(
    op,
    operands.map(([, tensor]) => tensor),
    undefined,
  );
}

/** Values of the `hyper` operand: the rule's numbers and the average's rate, filled up to whole vec4s. */
export function hyperLength({ hyper }: Pick<FlatUpdateRule, 'hyper'>): number {
  return Math.ceil((hyper.length + 1) / 4) * 4;
}

/** @param averageDecay of the moving average; ignored where none is given */
export function packHyper(
  rule: Pick<FlatUpdateRule, 'hyper'>,
  values: Readonly<Record<string, number>>,
  averageDecay: number,
): Float32Array {
  const packed = new Float32Array(hyperLength(rule));
  packed.set(rule.hyper.map((name) => values[name] ?? Number.NaN));
  packed[rule.hyper.length] = 1 - averageDecay;
  return packed;
}

type Operands = readonly (readonly [name: string, tensor: Tensor])[];

/** vec4 groups of one block. */
const BLOCK_GROUPS = RANGE_ALIGNMENT / 4;

/** @param operands their names, in order */
function flatUpdateOp(rule: FlatUpdateRule, operands: readonly string[]): Op<undefined> {
  const changing = new Set(['params', ...rule.state, 'average', 'copy']);
  const average = operands.includes('average');
  return {
    name: rule.name,
    mutates: operands.flatMap((name, i) => (changing.has(name) ? [i] : [])),

    infer(inputs) {
      const elements = elementCount(inputs[0]?.shape ?? []);
      if (elements % RANGE_ALIGNMENT !== 0) {
        throw new ShapeError(
          `${rule.name}: params must be a whole shard (a multiple of ${RANGE_ALIGNMENT} elements), got ${inputs[0] && describe(inputs[0])}`,
        );
      }
      const expected: Record<string, number> = {
        table: (elements / RANGE_ALIGNMENT) * 2,
        hyper: hyperLength(rule),
        clip: 1,
      };
      for (const [i, name] of operands.entries()) {
        const spec = inputs[i];
        const count = expected[name] ?? elements;
        const dtype = name === 'copy' ? 'f16' : 'f32';
        if (spec?.dtype !== dtype || elementCount(spec.shape) !== count) {
          throw new ShapeError(
            `${rule.name}: ${name} must hold ${count} ${dtype} values, got ${spec && describe(spec)}`,
          );
        }
      }
      return [];
    },

    flops: ({ inputs }) => shardElements(inputs) * (rule.flops + (average ? 3 : 0)),

    // Read and written: parameters, state and average; read: gradients and 2 values a block.
    bytes: ({ inputs }) =>
      shardElements(inputs) *
      (4 * (2 * (1 + rule.state.length + (average ? 1 : 0)) + 1 + 2 / RANGE_ALIGNMENT) +
        (operands.includes('copy') ? 2 : 0)),

    variants: [
      {
        name: 'vec4',
        unfit: ({ inputs }, { maxBindings }) =>
          inputs.length > maxBindings ? `needs ${inputs.length} storage buffers` : undefined,
        rank: () => 1,
        build: ({ inputs }, traits) => {
          const types: Record<string, string> = { table: 'vec2f', clip: 'f32', copy: 'vec4h' };
          const bindings = operands.map(
            (name, index): Binding => ({
              name,
              operand: { kind: 'input', index },
              access: changing.has(name) ? 'read_write' : 'read',
              type: types[name] ?? 'vec4f',
            }),
          );
          const count = shardElements(inputs) / 4;
          return { scratch: [], steps: [streamStep({ count, bindings, ...code(rule, operands) }, traits)] };
        },
      },
    ],
  };
}

/** Throws `ShapeError` unless `tensor` is a variable: what an in-place op updates must outlive the run. */
export function requireVariable(op: string, operand: string, tensor: Tensor): void {
  if (tensor.source.kind !== 'variable') {
    throw new ShapeError(
      `${op}: ${operand} is updated in place and must be a variable, not a computed value`,
    );
  }
}

function shardElements([params]: readonly TensorSpec[]): number {
  return elementCount(params?.shape ?? []);
}

function code(rule: FlatUpdateRule, operands: readonly string[]): { prepare: string; each: string } {
  const [average, copy] = [operands.includes('average'), operands.includes('copy')];
  const numbers = [...rule.hyper, ...(average ? ['averageRate'] : [])].map(
    (name, i) => `let ${name} = hyper[${i >> 2}].${'xyzw'[i & 3]};`,
  );
  // A lane's run of groups lies in one block: blocks are whole runs long.
  const prepare = `let factor = clip[0];
  if (factor < 0.0) { return; }
  let entry = table[first / ${BLOCK_GROUPS}u];
  let rate = entry.x;
  let decay = entry.y;
  ${numbers.join(' ')}`;
  const each = wgsl`let gradient = grads[i] * factor;
    ${rule.wgsl}
    params[i] = updated;
#if ${average}
    average[i] += averageRate * (updated - average[i]);
#endif
#if ${copy}
    copy[i] = vec4h(updated);
#endif
`;
  return { prepare, each };
}
