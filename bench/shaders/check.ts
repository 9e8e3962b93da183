import type { Judgement } from './judge.js';
import { type Kept, type KeptKernel, summarise } from './kept.js';

/** What must hold of the kernels, and what has to be looked at. */
export interface Findings {
  /** Pipelines that were looked at. */
  readonly checked: number;
  readonly failures: readonly string[];
  readonly warnings: readonly string[];
}

/** Slower than kept by so much is worth a warning. */
const SLOWER = 1.05;
/** Changes of less are no news, whatever their share. */
const LEAST_MICROSECONDS = 2;

/** @param kept absent: only what holds without a comparison */
export function check(judgement: Judgement, kept: Kept | undefined): Findings {
  const pipelines = new Map(
    judgement.programs.flatMap(({ program, dispatches }) =>
      dispatches.map((each) => [each.key, { program, ...each }] as const),
    ),
  );
  const spilling = [...pipelines.values()].flatMap(({ program, dispatch, kernel, key }) => {
    const what = ['Spilled VGPRs', 'Spilled SGPRs', 'Scratch size'].flatMap((name) => {
      const value = kernel.compiled.statistics.get(name) ?? 0;
      return value > 0 ? [`${name}: ${value}`] : [];
    });
    const { op, variant, shape } = dispatch;
    return what.length > 0 ? [`${program}: ${op} ${variant} ${shape} (${key}): ${what.join(', ')}`] : [];
  });
  const refused = judgement.refused.map(
    ({ program, op, variant, reason }) => `${program}: ${op} ${variant} does not compile: ${reason}`,
  );
  const compared = kept ? comparisons(summarise(judgement), kept) : { failures: [], warnings: [] };
  return {
    checked: pipelines.size,
    failures: [...refused, ...spilling, ...compared.failures],
    warnings: compared.warnings,
  };
}

function comparisons(now: Kept['programs'], { programs }: Kept): Pick<Findings, 'failures' | 'warnings'> {
  const failures: string[] = [];
  const warnings: string[] = [];
  for (const [program, { milliseconds, kernels }] of Object.entries(now)) {
    const before = programs[program];
    if (!before) continue;
    if (milliseconds > SLOWER * before.milliseconds) {
      warnings.push(`${program}: ${before.milliseconds} → ${milliseconds} ms`);
    }
    for (const [name, { microseconds, waves, dispatches }] of Object.entries(kernels)) {
      const old = before.kernels[name];
      if (!old) continue;
      if (waves < old.waves) failures.push(`${program}: ${name}: ${old.waves} → ${waves} waves a SIMD`);
      const [each, was] = [microseconds / dispatches, old.microseconds / old.dispatches];
      if (each > SLOWER * was && microseconds > old.microseconds + LEAST_MICROSECONDS) {
        warnings.push(`${program}: ${name}: ${was.toFixed(1)} → ${each.toFixed(1)} µs a dispatch`);
      }
    }
  }
  return { failures, warnings };
}

/** What changed against a kept file, a line for each program and kernel whose time or waves changed. */
export function changes(now: Kept['programs'], { programs }: Kept): string[] {
  const lines: string[] = [];
  for (const [program, { milliseconds, dispatches, kernels }] of Object.entries(now)) {
    const before = programs[program];
    if (!before) {
      lines.push(`${program}: not in the file`);
      continue;
    }
    lines.push(
      `${program}: ${before.milliseconds} → ${milliseconds} ms (${percent(milliseconds, before.milliseconds)}), ` +
        `${before.dispatches} → ${dispatches} dispatches`,
    );
    for (const name of [...new Set([...Object.keys(before.kernels), ...Object.keys(kernels)])].sort()) {
      const [old, each] = [before.kernels[name], kernels[name]];
      if (old?.microseconds === each?.microseconds && old?.waves === each?.waves) continue;
      const side = (kernel: typeof old) =>
        kernel ? `${kernel.microseconds} µs (${kernel.dispatches} ×, ${kernel.waves} waves)` : 'none';
      lines.push(`  ${name}: ${side(old)} → ${side(each)}`);
    }
  }
  return lines;
}

function percent(now: number, before: number): string {
  const change = (100 * (now - before)) / before;
  return `${change >= 0 ? '+' : ''}${change.toFixed(1)} %`;
}

/** A kept file with only the kernels that a choice by name leaves, and their times as the programs'. */
export function chosen(before: Kept, kernels: string): Kept {
  if (kernels === '') return before;
  const programs = Object.entries(before.programs).map(([program, all]) => {
    const left = Object.entries(all.kernels).filter(([name]) => name.includes(kernels));
    const sum = (value: (each: KeptKernel) => number) =>
      left.reduce((total, [, each]) => total + value(each), 0);
    return [
      program,
      {
        ...all,
        milliseconds: Number((sum(({ microseconds }) => microseconds) / 1e3).toFixed(3)),
        dispatches: sum(({ dispatches }) => dispatches),
        kernels: Object.fromEntries(left),
      },
    ] as const;
  });
  return { ...before, programs: Object.fromEntries(programs) };
}
