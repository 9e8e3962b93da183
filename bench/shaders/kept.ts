import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BenchError } from '../bench-error.js';
import type { Judgement } from './judge.js';

/**
 * What the kernels were like when somebody last looked and agreed: one file for each version of Mesa, since another
 * compiler gives other numbers.
 */
export interface Kept {
  readonly mesa: string;
  readonly family: string;
  readonly programs: Readonly<Record<string, KeptProgram>>;
}

export interface KeptProgram {
  readonly milliseconds: number;
  readonly roof: number;
  readonly dispatches: number;
  /** By op, variant and number of the step: all shapes of a program together. */
  readonly kernels: Readonly<Record<string, KeptKernel>>;
}

export interface KeptKernel {
  readonly dispatches: number;
  readonly microseconds: number;
  /** Waves a SIMD of the pipeline that has the fewest. */
  readonly waves: number;
}

export function summarise({ programs }: Pick<Judgement, 'programs'>): Kept['programs'] {
  return Object.fromEntries(
    programs.map(({ program, dispatches, roofSeconds }) => {
      const kernels = new Map<string, KeptKernel>();
      let seconds = 0;
      for (const { dispatch, modelled } of dispatches) {
        const { op, variant, step, steps } = dispatch;
        const name = [op, variant, ...(steps > 1 ? [`${step + 1}/${steps}`] : [])].join(' ');
        const before = kernels.get(name);
        seconds += modelled.seconds;
        kernels.set(name, {
          dispatches: (before?.dispatches ?? 0) + 1,
          microseconds: (before?.microseconds ?? 0) + modelled.seconds * 1e6,
          waves: Math.min(before?.waves ?? Number.POSITIVE_INFINITY, Math.floor(modelled.waves)),
        });
      }
      const sorted = [...kernels].sort(([a], [b]) => (a < b ? -1 : 1));
      const kept: KeptProgram = {
        milliseconds: rounded(seconds * 1e3, 3),
        roof: rounded(roofSeconds * 1e3, 3),
        dispatches: dispatches.length,
        kernels: Object.fromEntries(
          sorted.map(([name, each]) => [name, { ...each, microseconds: rounded(each.microseconds, 1) }]),
        ),
      };
      return [program, kept];
    }),
  );
}

/** The project's own file for a version of Mesa, beside this file's source. */
export function keptPath(mesa: string): string {
  const here = fileURLToPath(new URL('.', import.meta.url));
  const source = here.replace(/dist([\\/])bench([\\/])shaders[\\/]$/, 'bench$2shaders$2');
  return `${source}kept/mesa-${mesa}.json`;
}

/** @returns undefined where there is no such file @throws BenchError for a file that is none of these */
export function readKept(path: string): Kept | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const { mesa, family, programs } = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof mesa === 'string' && typeof family === 'string' && typeof programs === 'object') {
      return { mesa, family, programs };
    }
  } catch {
    // said below
  }
  throw new BenchError(`${path} is no file of kept kernels: npm run shaders -- --keep ${path} writes one.`);
}

/** Programs that were not judged this time stay as they were. */
export function writeKept(path: string, kept: Kept): void {
  const before = readKept(path);
  const same = before?.family === kept.family && before.mesa === kept.mesa;
  const programs = { ...(same && before.programs), ...kept.programs };
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${oneLineAKernel({ ...kept, programs })}\n`);
}

function oneLineAKernel(kept: Kept): string {
  return JSON.stringify(kept, null, 2).replace(/\{\s+("dispatches"[^{}]*?)\s+\}/g, (_, fields: string) => {
    return `{ ${fields.replace(/\s+/g, ' ')} }`;
  });
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
