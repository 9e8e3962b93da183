import { writeFileSync } from 'node:fs';
import type { Findings } from './check.js';
import { radvManifest } from './driver/radv.js';
import { HOW_TO_INSTALL, spirvAsIsThere, translatingDriver } from './driver/spirv.js';

/** What verify counts: as its reporter of tests writes it. */
export interface Tally {
  readonly passed: number;
  readonly failed: readonly string[];
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  /** To be read, and not counted. */
  readonly remarks: readonly string[];
}

/** All of the check that is skipped where kernels can't be compiled for a GPU; undefined where they can. */
export function obstacleHere(): Tally | undefined {
  const reason =
    radvManifest() === undefined
      ? "Mesa's radeon driver is not installed"
      : translatingDriver() === undefined
        ? 'there is neither lavapipe nor SwiftShader to translate them'
        : spirvAsIsThere()
          ? undefined
          : `there is no spirv-as: ${HOW_TO_INSTALL}`;
  if (reason === undefined) return undefined;
  return { passed: 0, failed: [], skipped: [{ name: 'kernels compiled for RDNA 3', reason }], remarks: [] };
}

export function tallyOf({ checked, failures, warnings }: Findings, compared: boolean, mesa: string): Tally {
  const name = 'occupancy and time of kernels beside those kept';
  const reason = `nothing is kept for Mesa ${mesa}: npm run shaders -- --keep`;
  return {
    passed: Math.max(0, checked - failures.length),
    failed: failures,
    skipped: compared ? [] : [{ name, reason }],
    remarks: warnings.map((warning) => `slower: ${warning}`),
  };
}

/** Prints it, writes the file that TAILRAY_TALLY names, and fails the process where something failed. */
export function tell(tally: Tally): void {
  const lines = [
    ...tally.remarks,
    ...tally.failed.map((name) => `failed: ${name}`),
    ...tally.skipped.map(({ name, reason }) => `skipped: ${name} [${reason}]`),
    `${tally.passed} pipelines passed, ${tally.failed.length} failures, ${tally.remarks.length} remarks`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  const path = process.env.TAILRAY_TALLY;
  if (path) writeFileSync(path, JSON.stringify(tally));
  if (tally.failed.length > 0) process.exitCode = 1;
}
