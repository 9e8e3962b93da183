#!/usr/bin/env node
/** `report`: one HTML file about a run, or about several side by side with an overview of them. */
import { Option } from 'commander';
import type { Device } from '../engine/device.js';
import { openDevice } from '../platform/node/open-device.js';
import { writeReport } from '../report/report.js';
import { explainRuns } from '../report/samples/run-maps.js';
import { visibleText } from '../storage/visible-text.js';
import { command, runCommand } from './command.js';
import { adapterOption, resamplesOption } from './options/common-options.js';
import { wholeNumber } from './options/number-option.js';
import { formatReport } from './text/report-summary.js';
import { terminalOf, writeLines } from './text/terminal.js';

interface ReportFlags {
  readonly out?: string;
  readonly data?: string;
  readonly resamples?: number;
  readonly pictures: boolean;
  readonly maps: boolean;
  readonly adapter?: string;
  readonly details: number;
}

const program = command('report')
  .argument('<run-dir...>', 'run directories (train --out); the first is what the others are compared with')
  .option('--out <file>', 'file to write (default: report.html in the run directory; here for several runs)')
  .option('--data <path>', 'where the labels and images are now, if they have moved since training')
  .addOption(resamplesOption().default(1000))
  .option('--no-pictures', 'leave the sample images out, to share the report without them')
  .option('--no-maps', 'leave out where the model looked, which is computed on an adapter')
  .addOption(adapterOption())
  .addOption(
    new Option(
      '--details <n>',
      'tell of single runs where there are at most so many; of more, or with 0, the overview alone',
    )
      .argParser(wholeNumber)
      .default(8),
  )
  .action(async (runDirs: string[], flags: ReportFlags) => {
    let device: Device | undefined;
    const open = async () => {
      device ??= await openDevice({ adapter: flags.adapter });
      return device;
    };
    const explain = flags.maps ? explainRuns(open, flags) : undefined;
    const written = await writeReport(runDirs, { ...flags, explain }).finally(() => device?.close());
    for (const note of written.notes) process.stderr.write(visibleText(`note: ${note}\n`));
    writeLines([...formatReport(written, terminalOf()), `report     ${written.path}`]);
  });

await runCommand(program);
