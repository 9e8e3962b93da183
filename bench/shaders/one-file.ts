import { readFileSync } from 'node:fs';
import { BenchError } from '../bench-error.js';
import type { NullDevice } from './driver/null-device.js';
import type { GpuProfile } from './gpu.js';
import { listing } from './isa/listing.js';
import { compileAll } from './judge.js';
import { model } from './model.js';

/** A kernel by hand: one file of WGSL, bindings and all, with the sizes that it would be told. */
export interface FileRequest {
  readonly path: string;
  /** Workgroups along each axis. */
  readonly groups: readonly number[];
  /** The words of its uniform binding, in order. */
  readonly dims: readonly number[];
  /** That memory has to move; 0: the model leaves memory out. */
  readonly bytes: number;
  readonly isa: boolean;
}

/** @returns lines to print @throws BenchError where the kernel does not compile */
export async function judgeFile(
  request: FileRequest,
  gpu: GpuProfile,
  device: NullDevice,
): Promise<string[]> {
  const { path, groups, dims, bytes, isa } = request;
  const shader = { code: readFileSync(path, 'utf8') };
  const kernel = (await compileAll(new Map([[path, shader]]), device)).get(path);
  if (!kernel || kernel instanceof BenchError) throw kernel ?? new BenchError(`${path} was not compiled.`);
  const [x = 1, y = 1, z = 1] = groups;
  const modelled = model(kernel, { grid: [x, y, z], dims, bytes }, gpu);
  const { compiled, size } = kernel;
  const { seconds, bound, fmaShare, flops, waves, cycles, guesses } = modelled;
  const facts: [string, string][] = [
    ['modelled time', `${(seconds * 1e6).toFixed(2)} µs, bound by ${bound}`],
    [
      'arithmetic',
      `${(flops / 1e9).toFixed(3)} GFLOP carried out, ${(flops / seconds / 1e12).toFixed(1)} TFLOP/s`,
    ],
    ['multiply-adds', `${(100 * fmaShare).toFixed(0)} % of the vector units' cycles`],
    ['workgroups', `${x} × ${y} × ${z} of ${size.join(' × ')} lanes, waves of ${compiled.waveLanes}`],
    ['waves a SIMD', waves.toFixed(1)],
    ['cycles', `${cycles.toFixed(0)} of the busiest unit`],
    ...(guesses > 0 ? ([['guessed', `${guesses} branches depend on memory`]] as [string, string][]) : []),
    ...[...compiled.statistics].map(([name, value]): [string, string] => [name, String(value)]),
  ];
  return [
    ...facts.map(([name, value]) => `${name.padEnd(22)} ${value}`),
    ...(isa ? ['', ...listing(kernel, modelled)] : []),
  ];
}
