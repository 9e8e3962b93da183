#!/usr/bin/env node
/** `report`: one HTML file about a run, or about several side by side. */
import { writeReport } from '../report/report.js';
import { command, runCommand } from './command.js';
import { resamplesOption } from './options/common-options.js';

interface ReportFlags {
  readonly out?: string;
  readonly data?: string;
  readonly resamples?: number;
  readonly pictures: boolean;
}

const program = command('report')
  .argument('<run-dir...>', 'run directories (train --out); the first is what the others are compared with')
  .option('--out <file>', 'file to write (default: report.html in the run directory; here for several runs)')
  .option('--data <path>', 'where the labels and images are now, if they have moved since training')
  .addOption(resamplesOption().default(1000))
  .option('--no-pictures', 'leave the sample images out, to share the report without them')
  .action(async (runDirs: string[], flags: ReportFlags) => {
    const { path } = await writeReport(runDirs, flags);
    process.stdout.write(`report     ${path}\n`);
  });

await runCommand(program);
