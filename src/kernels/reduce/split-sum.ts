import type { Binding, DeviceTraits, DType, Kernel, KernelStep, Operand } from '../../engine/graph/tensor.js';
import { type Epilogue, NO_EPILOGUE } from '../common/epilogue.js';
import { storageType } from '../common/storage-type.js';
import { aliasT, type Fold, foldKernel, typeT } from './fold.js';

/** The sum of shares: `splits` partial results of `elements` each, one behind the other. */
export interface SplitSum {
  readonly splits: number;
  readonly elements: number;
  /** Elements of a second result, output 1, whose partial results lie behind those of the first in each share; 0: none. */
  readonly second?: number;
  readonly traits: DeviceTraits;
  /** Of the result; partial results are f32. */
  readonly dtype?: DType;
  /** Runs on each element of the whole sum. */
  readonly epilogue?: Epilogue;
}

/** How the steps that compute a result, or shares of it, store it. */
export interface PartialTarget {
  readonly target: Operand;
  readonly dtype: DType;
  readonly epilogue: Epilogue;
}

/**
 * Long sums cut into shares for parallelism: the first steps write `splits` partial results one behind the other, the
 * last ones add them up. Their order is fixed, so the result has the same bits at every run.
 *
 * @param partials steps that write f32 partial results to the target, which the last sum finishes; where there is but
 * one share, steps that write the result itself to the target, and a second one to output 1
 */
export function splitSum(sum: SplitSum, partials: (target: PartialTarget) => readonly KernelStep[]): Kernel {
  const { splits, elements, second = 0, dtype = 'f32', epilogue = NO_EPILOGUE } = sum;
  const output: Operand = { kind: 'output', index: 0 };
  if (splits === 1) return { scratch: [], steps: partials({ target: output, dtype, epilogue }) };
  const partialSums: Operand = { kind: 'scratch', index: 0 };
  const last = addUp(partialSums, output, sum, 1);
  return {
    scratch: [{ kind: 'buffer', bytes: splits * (elements + second) * 4 }, ...last.scratch],
    steps: [...partials({ target: partialSums, dtype: 'f32', epilogue: NO_EPILOGUE }), ...last.steps],
  };
}

/**
 * output[i] = Σ over splits of partials[split · all + i], and then the epilogue; `all` are the elements of both results. It is a fold: a software adapter adds
 * in order, a GPU as a tree wherever there are more than a few shares.
 *
 * @param scratchBefore how many scratch buffers the kernel has that these steps become a part of
 */
export function addUp(
  partials: Operand,
  output: Operand,
  { splits, elements, second = 0, traits, dtype = 'f32', epilogue = NO_EPILOGUE }: SplitSum,
  scratchBefore: number,
): Kernel {
  const { rowLength } = epilogue;
  const width = [elements, second, rowLength ?? 4].every((count) => count % 4 === 0) ? 4 : 1;
  const finish = epilogue.emit(width === 4);
  const type = storageType({ dtype }, width);
  const column = rowLength === undefined ? '0u' : `id % ${rowLength / width}u`;
  const store = `total[id] = ${type}(finish(s.total, id, columnOperands(${column})));`;
  const own = elements / width;
  const others: Binding = {
    name: 'others',
    operand: { kind: 'output', index: 1 },
    access: 'read_write',
    type: typeT(width),
  };
  const fold: Fold = {
    width,
    state: { vectors: ['total'] },
    empty: 'State()',
    source: aliasT(width),
    finishSource: finish.declarations,
    merge: 'fn merge(a: State, b: State) -> State { return State(a.total + b.total); }',
    accumulate: 's.total += partials[i];',
    finish: second > 0 ? `if (id < ${own}u) { ${store} } else { others[id - ${own}u] = s.total; }` : store,
    inputs: [{ name: 'partials', operand: partials, access: 'read', type: typeT(width) }],
    outputs: [
      ...finish.bindings,
      { name: 'total', operand: output, access: 'read_write', type },
      ...(second > 0 ? [others] : []),
    ],
  };
  const extent = { outer: 1, size: splits, inner: (elements + second) / width };
  return foldKernel(fold, extent, traits.kind === 'software' ? 'serial' : 'tree', traits, scratchBefore);
}
