#!/usr/bin/env node
/** `bench`: how fast the kernels are here, beside what the adapter can do at all and beside other libraries. */
import { existsSync } from 'node:fs';
import { TailrayError } from '../engine/errors.js';
import type { BenchFlags, BenchModule } from './bench-flags.js';
import { command, runCommand } from './command.js';
import { addTuneOptions } from './kernel-options.js';
import { positiveNumber } from './number-option.js';

/** The benchmark was not built. */
class MissingBenchmarkError extends TailrayError {}

async function bench(flags: BenchFlags): Promise<void> {
  const entry = new URL('../bench/main.js', import.meta.url);
  if (!existsSync(entry)) {
    throw new MissingBenchmarkError(
      'the benchmark is not part of this installation: it is built with `npm run build` in a clone of tailray.',
    );
  }
  const { runBench } = (await import(entry.href)) as BenchModule;
  await runBench(flags);
}

/** `a b` and `a,b` are both two names. */
function several(text: string, before: readonly string[]): string[] {
  return [...before, ...text.split(',').filter((name) => name !== '')];
}

const program = addTuneOptions(
  command('bench', 'Time the kernels and whole training steps, beside other libraries on the same adapter.')
    .option(
      '--work <names...>',
      'only workloads whose name contains one of these, e.g. conv3x3 or depthwise/dW',
      several,
      [],
    )
    .option(
      '--against <peers...>',
      'only these libraries, or none (default: all that are installed)',
      several,
      [],
    )
    .option('--rounds <n>', 'timed rounds of each workload', positiveNumber, 5)
    .option('--adapter <name>', 'GPU to use (default: TAILRAY_ADAPTER, else the best; see devices)')
    .option('--json', 'print one JSON object a line instead of the table')
    .option('--scaling', 'only the training step of ResNet-18, at growing batches and pictures')
    .option(
      '--save <folder>',
      'keep measurements and a picture in a folder below this one, e.g. bench/results',
    )
    .option('--list', 'list the workloads and measure nothing')
    .action(bench),
);

await runCommand(program);
