#!/usr/bin/env node
/** `submission check`: whether a file is as the challenge wants it, before it is sent. */
import { Option } from 'commander';
import { checkSubmission, describeSubmission } from '../predict/submission/check-submission.js';
import { command, runCommand } from './command.js';

const program = command('submission');

program
  .command('check')
  .description('hold a submission against the evaluation table; exit code 2 where it has problems')
  .argument('<file>', 'the submission, of Task 1 or Task 2')
  .requiredOption('--table <file>', 'the evaluation table: a CSV file that names the images')
  .addOption(
    new Option(
      '--task <number>',
      'whose columns are expected (default: Task 1, Task 2 or the table, as fits best)',
    ).choices(['1', '2']),
  )
  .action(async (file: string, { table, task }: { table: string; task?: '1' | '2' }) => {
    const report = await checkSubmission(file, { table, task: task && (Number(task) as 1 | 2) });
    process.stdout.write(`${describeSubmission(file, report)}\n`);
    if (report.problems.length > 0) process.exitCode = 2;
  });

await runCommand(program);
