import type { DeviceTraits, DType, Kernel, KernelStep, Operand } from '../../engine/graph/tensor.js';
import { type Epilogue, NO_EPILOGUE } from '../common/epilogue.js';
import { flatStep } from '../common/grid.js';

/** The sum of shares: `splits` partial results of `elements` each, one behind the other. */
export interface SplitSum {
  readonly splits: number;
  readonly elements: number;
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
 * Long sums cut into shares for parallelism: the first steps write `splits` partial results one behind the other, a
 * last one adds them up in order. The order is fixed, so the result has the same bits at every run.
 *
 * @param partials steps that write f32 partial results to the target, which the last sum finishes; where there is but
 * one share, steps that write the result itself
 */
export function splitSum(sum: SplitSum, partials: (target: PartialTarget) => readonly KernelStep[]): Kernel {
  const { splits, elements, dtype = 'f32', epilogue = NO_EPILOGUE } = sum;
  const output: Operand = { kind: 'output', index: 0 };
  if (splits === 1) return { scratch: [], steps: partials({ target: output, dtype, epilogue }) };
  const scratch: Operand = { kind: 'scratch', index: 0 };
  return {
    scratch: [{ kind: 'buffer', bytes: splits * elements * 4 }],
    steps: [
      ...partials({ target: scratch, dtype: 'f32', epilogue: NO_EPILOGUE }),
      addUp(scratch, output, sum),
    ],
  };
}

/** output[i] = Σ over splits of partials[split · elements + i], in order, and then the epilogue. */
export function addUp(
  partials: Operand,
  output: Operand,
  { splits, elements, traits, dtype = 'f32', epilogue = NO_EPILOGUE }: SplitSum,
): KernelStep {
  const { rowLength } = epilogue;
  const vector = elements % 4 === 0 && (rowLength === undefined || rowLength % 4 === 0);
  const width = vector ? 4 : 1;
  const stored = dtype === 'f16' ? (vector ? 'vec4h' : 'f16') : vector ? 'vec4f' : 'f32';
  const count = elements / width;
  const finish = epilogue.emit(vector);
  return flatStep(
    {
      count,
      bindings: [
        { name: 'partials', operand: partials, access: 'read', type: vector ? 'vec4f' : 'f32' },
        ...finish.bindings,
        { name: 'total', operand: output, access: 'read_write', type: stored },
      ],
      declarations: finish.declarations,
      body: `var sum = partials[id];
  for (var split = 1u; split < ${splits}u; split++) { sum += partials[split * ${count}u + id]; }
  total[id] = ${stored}(finish(sum, id, columnOperands(${rowLength === undefined ? '0u' : `id % ${rowLength / width}u`})));`,
    },
    traits,
  );
}
