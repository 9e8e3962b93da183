import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import type { Binding, Kernel, KernelStep, Operand, Problem, Variant } from '../../engine/graph/tensor.js';
import { flatGrid, writtenOut } from '../common/grid.js';
import {
  type Cooperation,
  type DivisionTraits,
  divideFold,
  type FoldExtent,
  type FoldStyle,
} from './fold-division.js';

/**
 * The skeleton of every reduction: operands are seen as [outer, size, inner], a small state is folded along `size`,
 * and the states are merged and turned into results. A family (sums, moments, gradient sums…) declares its
 * state and how elements enter it; the division of the work among lanes is written here, once.
 *
 * Order is fixed by shape and variant: the range is cut into chunks, one dispatch folds each chunk, a second merges
 * the chunks' states in order. So a result has the same bits at every run, without atomics.
 *
 * Sizes are in units of `T`: vec4f where the layout allows it, which along `inner` means four neighbouring columns and,
 * where inner is 1, four neighbouring elements of the folded axis itself.
 */
export interface Fold {
  /** Elements in a `T`. */
  readonly width: 1 | 4;
  /** Fields of the WGSL struct `State`. */
  readonly state: { readonly vectors: readonly string[]; readonly scalars?: readonly string[] };
  /** WGSL expression of the state of nothing. */
  readonly empty: string;
  /** Declares `fn merge(a: State, b: State) -> State`, `a` folded before `b`. `T` is known. */
  readonly merge: string;
  /** WGSL that `prepare` and `accumulate` call; declares `alias T`, as `emitExpression` does. */
  readonly source: string;
  /**
   * Statements run once by each lane that has elements, before the first of them: `column` (of inner), `outer` (its
   * index) and `origin`, the lane's first element, are known.
   */
  readonly prepare?: string;
  /** Statements that put element `i` (its index in units of T; `k` along the size) into `s: State`, or into variables of `prepare`. */
  readonly accumulate: string;
  /** Statements run once by each lane after its last element. They leave the lane's state in `s`; `terms` (f32) were put in. */
  readonly settle?: string;
  /** Statements that write the results of `s` at `id`, which counts [outer, inner]. */
  readonly finish: string;
  /** In place of `source` in the dispatch that finishes, where `finish` calls WGSL and `accumulate` calls none. */
  readonly finishSource?: string;
  /**
   * For folds whose result goes back to every element, so that a lane meets its elements a second time while caches hold
   * them: statements for element `i` (and `k`). They see the variables of `conclude`, which runs before `finish`. Such a
   * fold is one dispatch for every size.
   */
  readonly spread?: { readonly conclude: string; readonly each: string };
  readonly inputs: readonly Binding[];
  readonly outputs: readonly Binding[];
}

/** Variants of an op whose kernel is one fold. */
export function foldVariants<A>(
  plan: (problem: Problem<A>) => { fold: Fold; extent: FoldExtent },
): Variant<A>[] {
  return (['serial', 'tree'] as const).map((style) => ({
    name: style,
    unfit: () => undefined,
    rank: (_problem, traits) => ((traits.kind === 'software') === (style === 'serial') ? 1 : 2),
    build: (problem, traits) => {
      const { fold, extent } = plan(problem);
      return foldKernel(fold, extent, style, traits);
    },
  }));
}

/**
 * Counts three axes of elements in units of T: in fours along `inner`, or along `size` where inner is 1.
 * @param vectorizable false where the operands cannot be read in fours
 */
export function foldExtent(elements: FoldExtent, vectorizable = true): { width: 1 | 4; extent: FoldExtent } {
  const { outer, size, inner } = elements;
  if (!vectorizable || (inner > 1 ? inner : size) % 4 !== 0) return { width: 1, extent: elements };
  return {
    width: 4,
    extent: inner > 1 ? { outer, size, inner: inner / 4 } : { outer, size: size / 4, inner: 1 },
  };
}

/** The declaration that `Fold.source` starts with where no expression brings it. */
export function aliasT(width: 1 | 4): string {
  return `alias T = ${width === 4 ? 'vec4f' : 'f32'};\n`;
}

/** WGSL type of a binding read or written in units of T. */
export function typeT(width: 1 | 4): 'f32' | 'vec4f' {
  return width === 4 ? 'vec4f' : 'f32';
}

/** @param scratchBefore how many scratch buffers a larger kernel has that this one becomes a part of */
export function foldKernel(
  fold: Fold,
  extent: FoldExtent,
  style: FoldStyle,
  traits: DivisionTraits,
  scratchBefore = 0,
): Kernel {
  const { outer, inner } = extent;
  const { chunks, first, second } = divideFold(
    { extent, width: fold.width, style },
    traits,
    fold.spread !== undefined,
  );
  const { finishSource } = fold;
  if (chunks === 1) {
    const whole = { ...fold, source: finishSource ?? fold.source };
    return { scratch: [], steps: [foldPass(whole, { ...extent, chunks, ...first }, traits)] };
  }
  const operand: Operand = { kind: 'scratch', index: scratchBefore };
  const partial = { name: 'partial', operand, type: 'State' } as const;
  return {
    scratch: [{ kind: 'buffer', bytes: outer * chunks * inner * stateBytes(fold) }],
    steps: [
      foldPass(
        { ...fold, finish: 'partial[id] = s;', outputs: [{ ...partial, access: 'read_write' }] },
        { ...extent, chunks, ...first },
        traits,
      ),
      foldPass(
        {
          ...fold,
          source: finishSource ?? aliasT(fold.width),
          prepare: '',
          accumulate: 's = merge(s, partial[i]);',
          settle: '',
          inputs: [{ ...partial, access: 'read' }],
        },
        { ...extent, size: chunks, chunks: 1, ...second },
        traits,
      ),
    ],
  };
}

/**
 * Folds each of `chunks` ranges of the size; `id` counts [outer, chunks, inner].
 *
 * Sample (sum over the first axis of [4, 8], serial):
 *
 *     var s = State();
 *     if (first + turn < last) {
 *       let origin = (outer * 4u + first + turn) * 2u + column;
 *       for (var round = first + turn; round < last; round += 4u) {
 *       { let k = round; let i = (outer * 4u + k) * 2u + column; s.total = s.total + value(i); }
 *       { let k = round + 1u; let i = (outer * 4u + k) * 2u + column; s.total = s.total + value(i); }
 *       { let k = round + 2u; let i = (outer * 4u + k) * 2u + column; s.total = s.total + value(i); }
 *       { let k = round + 3u; let i = (outer * 4u + k) * 2u + column; s.total = s.total + value(i); }
 *       }
 *     }
 *     if (turn == 0u && id < 2u) {
 *       reduced[id] = (s.total);
 *     }
 */
function foldPass(
  fold: Fold,
  extent: FoldExtent & Cooperation & { chunks: number },
  traits: DivisionTraits,
): KernelStep {
  const { outer, size, inner, chunks, lanes, group } = extent;
  const length = Math.ceil(size / chunks);
  const slots = outer * chunks * inner;
  const rounds = lanes === 1 ? roundsWrittenOut(length) : 1;
  const width = group / lanes;
  const grid = flatGrid(slots, width, traits);
  // Neighbouring lanes touch neighbouring memory: along the columns, or along the folded axis where there is one column.
  const alongSize = inner === 1;
  const partner = alongSize ? 1 : width;
  const { vectors, scalars = [] } = fold.state;
  const walk = (body: string) => `for (var round = first + turn; round < last; round += ${lanes * rounds}u) {
    ${writtenOut(
      {
        times: rounds,
        name: 'k',
        first: 'round',
        step: lanes,
        end: chunks * length === size && length % (lanes * rounds) === 0 ? undefined : 'last',
      },
      `let i = (outer * ${size}u + k) * ${inner}u + column; ${body}`,
    )}
    }`;
  return {
    kind: 'dispatch',
    bindings: [...fold.inputs, ...fold.outputs],
    workgroups: grid.workgroups,
    code: wgsl`${fold.source}struct State { ${[...vectors.map((name) => `${name}: T`), ...scalars.map((name) => `${name}: f32`)].join(', ')} }
${fold.merge}
${grid.code}
#if ${lanes > 1}
var<workgroup> states: array<State, ${group}>;
#endif
@compute @workgroup_size(${group}) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = flatIndex(group, ${alongSize ? `lane / ${lanes}u` : `lane % ${width}u`});
  let turn = ${alongSize ? `lane % ${lanes}u` : `lane / ${width}u`};
  let column = id % ${inner}u;
  let chunk = id / ${inner}u % ${chunks}u;
  let outer = id / ${inner * chunks}u;
  let first = chunk * ${length}u;
  let last = select(0u, min(first + ${length}u, ${size}u), id < ${slots}u);
  var s = ${fold.empty};
  if (first + turn < last) {
    let origin = (outer * ${size}u + first + turn) * ${inner}u + column;
    ${fold.prepare ?? ''}
    ${walk(fold.accumulate)}
    ${fold.settle ? `let terms = f32((last - first - turn + ${lanes - 1}u) / ${lanes}u); ${fold.settle}` : ''}
  }
#if ${lanes > 1}
  states[lane] = s;
  for (var stride = ${lanes / 2}u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (turn < stride) { states[lane] = merge(states[lane], states[lane + stride * ${partner}u]); }
  }
#if ${fold.spread !== undefined}
  workgroupBarrier();
#endif
  s = states[${fold.spread ? (alongSize ? 'lane - turn' : `lane % ${width}u`) : 'lane'}];
#endif
  ${fold.spread?.conclude ?? ''}
  if (turn == 0u && id < ${slots}u) {
    ${fold.finish}
  }
#if ${fold.spread !== undefined}
  ${walk(fold.spread?.each ?? '')}
#endif
}`,
  };
}

/** Elements that a serial lane takes in one round of its loop: a divisor of their number, where there is one. */
function roundsWrittenOut(length: number): number {
  if (length <= 4) return length;
  return [4, 5, 3].find((rounds) => length % rounds === 0) ?? 4;
}

/** Bytes of one `State` in a storage array: vectors first, so that scalars fill the end. */
function stateBytes({ width, state: { vectors, scalars = [] } }: Fold): number {
  const alignment = width * 4;
  return Math.ceil((vectors.length * alignment + scalars.length * 4) / alignment) * alignment;
}
