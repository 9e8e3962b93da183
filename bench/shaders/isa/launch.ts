import type { SpirvBinding } from '../driver/spirv.js';
import type { KnownMemory } from './execute.js';
import { type Address, WaveState } from './wave-state.js';

/** How RADV hands a compute shader its arguments: which register holds what when a wave begins. */

export interface LaunchFacts {
  /** RADV's first line of a program: the registers of its arguments. */
  readonly startOfProgram: string;
  /** The shader as NIR, which tells which of the grid's numbers it asks for. */
  readonly nir: string;
  readonly bindings: readonly SpirvBinding[];
  /** Lanes of a workgroup along each axis. */
  readonly size: readonly [number, number, number];
  readonly waveLanes: number;
}

export interface WaveAt {
  readonly group: readonly [number, number, number];
  /** Number of the wave in its workgroup. */
  readonly wave: number;
}

/** Bytes of a binding's descriptor. */
const DESCRIPTOR = { storage: 16, uniform: 16, image: 32 } as const;

/** The registers of a wave when it begins. */
export function beginWave(facts: LaunchFacts, { group, wave }: WaveAt): WaveState {
  const { startOfProgram, nir, size, waveLanes } = facts;
  const lanes = size[0] * size[1] * size[2];
  const first = wave * waveLanes;
  const state = new WaveState(waveLanes, lanes - first);
  const [results = ''] = startOfProgram.split('=');
  const scalars = Array.from(results.matchAll(/s(\d+): (?:\(kill\))?%\d+:s\[(\d+)/g), ([, words, at]) => ({
    words: Number(words),
    register: `s${at}`,
  }));
  // the first two words are the driver's own; then the descriptors
  const rest = scalars.filter(({ register }) => register !== 's0');
  const descriptors = rest.shift();
  if (descriptors) state.setAddress(descriptors.register, { base: 'set', offset: 0 });
  if (nir.includes('@load_num_workgroups') && rest[0]?.words === 2) {
    state.setAddress(rest.shift()?.register ?? '', { base: 'grid', offset: 0 });
  }
  for (const axis of usedAxes(nir)) {
    const argument = rest.shift();
    if (argument) state.setWord(argument.register, group[axis]);
  }
  const last = rest.shift();
  if (last) state.setWord(last.register, (wave << 20) | (wave << 6) | Math.ceil(lanes / waveLanes));
  state.setVector('v0', (lane) => {
    const index = Math.min(first + lane, lanes - 1);
    const x = index % size[0];
    const y = Math.floor(index / size[0]) % size[1];
    const z = Math.floor(index / (size[0] * size[1]));
    return x | (y << 10) | (z << 20);
  });
  return state;
}

/** Axes of the workgroup's number that a shader asks for: only those are handed in. */
function usedAxes(nir: string): number[] {
  const ids = Array.from(nir.matchAll(/(%\d+) = @load_workgroup_id\b/g), ([, id]) => id ?? '');
  return [0, 1, 2].filter((axis) => ids.some((id) => new RegExp(`${id}\\.${'xyz'[axis]}\\b`).test(nir)));
}

/** The sizes that a kernel is told, and those of its grid. */
export function knownMemory(
  { bindings }: Pick<LaunchFacts, 'bindings'>,
  dims: readonly number[],
  grid: readonly number[],
): KnownMemory {
  const uniforms = new Set<number>();
  let offset = 0;
  for (const { kind } of [...bindings].sort((a, b) => a.number - b.number)) {
    if (kind === 'uniform') uniforms.add(offset);
    offset += DESCRIPTOR[kind];
  }
  return {
    read({ base, offset: at }: Address) {
      if (base === 'grid') return grid[at / 4];
      return typeof base === 'number' && uniforms.has(base) ? dims[at / 4] : undefined;
    },
  };
}
