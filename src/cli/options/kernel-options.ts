import { type Command, Option } from 'commander';
import { type TuneReport, Tuner, type Tuning } from '../../engine/choose/tune.js';
import type { Device } from '../../engine/device.js';
import { TuneCache } from '../../platform/node/tune-cache.js';
import { tailrayVersion } from '../../storage/version.js';
import { formatSeconds } from '../../text/duration.js';
import { decimals } from '../../text/numbers.js';
import type { ExplainWhat } from '../text/plan-table.js';
import { ProgressLine } from '../training-display.js';

/** What commands have to say about kernels: which are used, what was measured before, and where the time goes. */
export interface KernelFlags {
  /** `--tune`: true; `--no-tune`: false; neither: undefined. */
  readonly tune?: boolean;
  readonly explain?: ExplainWhat;
  readonly quiet?: boolean;
}

export function addKernelOptions(program: Command): Command {
  return addTuneOptions(program).addOption(
    new Option('--explain [ops]', 'show where the time goes: the slowest ops, or all in their order')
      .choices(['top', 'all'] satisfies ExplainWhat[])
      .preset('top'),
  );
}

/** Those about the choice alone, for a command that shows times in its own way. */
export function addTuneOptions(program: Command): Command {
  return program
    .option('--tune', 'measure which kernels are fastest on this GPU, and remember (else: before long runs)')
    .option('--no-tune', 'neither measure kernels nor use what was measured');
}

/** @returns undefined where the rule is to decide */
export function kernelTuning(device: Device, { tune, quiet = false }: KernelFlags): Tuning | undefined {
  if (tune === false) return undefined;
  const progress = new ProgressLine(quiet);
  return new Tuner(device, {
    store: new TuneCache({ device: device.description, version: tailrayVersion }),
    measure: tune ? 'always' : 'long',
    onProgress: (done, total) => progress.show('measuring kernels', done, total, () => 'problems'),
    onWarning: (message) => void process.stderr.write(`tailray: ${message}\n`),
    onDone(report) {
      progress.stop();
      if (!quiet && report.measured + report.changed > 0) {
        process.stdout.write(`kernels    ${describeTuning(report)}\n`);
      }
    },
  });
}

/** `86 problems measured in 29s and remembered, 17 known; 6 run otherwise than by the rule: 1.1 ms a run less.` */
export function describeTuning({
  problems,
  measured,
  unknown,
  changed,
  savedMs,
  seconds,
}: TuneReport): string {
  const known = problems - measured - unknown;
  const parts = [
    ...(measured > 0 ? [`${measured} problems measured in ${formatSeconds(seconds)} and remembered`] : []),
    ...(known > 0 ? [`${known} known from before`] : []),
    ...(unknown > 0 ? [`${unknown} left to the rule`] : []),
  ];
  const gain =
    changed > 0
      ? `${changed} run otherwise than by the rule, ${decimals(savedMs, 1)} ms less a run`
      : "the rule's kernels are the fastest";
  return `${parts.join(', ')}; ${gain}.`;
}
