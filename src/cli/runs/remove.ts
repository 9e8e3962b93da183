import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { ReportError } from '../../report/report-error.js';
import { RUN_COLUMNS } from '../../report/runs/run-columns.js';
import { outlineRun } from '../../report/runs/run-outline.js';
import { formatByteSize } from '../../text/byte-size.js';
import { counted, decimals } from '../../text/numbers.js';
import { type RunFiles, removeRun, requireRemovable, runFiles } from '../../train/run-files.js';

export function addRemove(program: Command): void {
  program
    .command('remove')
    .description('remove runs: their own files, and their folders where nothing else lies there')
    .argument('<run...>', 'run directories')
    .option('--yes', 'do not ask')
    .action(remove);
}

async function remove(paths: string[], { yes }: { readonly yes?: boolean }): Promise<void> {
  const say = (text: string) => process.stdout.write(`${text}\n`);
  const runs = [...new Set(paths)];
  for (const path of runs) await requireRemovable(path);
  let bytes = 0;
  for (const path of runs) {
    const files = await runFiles(path);
    bytes += files.bytes;
    for (const line of await describeLoss(path, files)) say(line);
  }
  const all = `${counted(runs.length, 'run')}, ${formatByteSize(bytes)}`;
  if (!yes && !(await confirmed(`Remove ${all}? It can't be undone. [y/N] `))) {
    say('nothing was removed');
    return;
  }
  for (const path of runs) await removeRun(path);
  say(`removed    ${all} freed`);
}

/** What a person would miss, a line each. */
async function describeLoss(path: string, { own, bytes, foreign }: RunFiles): Promise<string[]> {
  const run = await outlineRun(path);
  const { state, validation, test, bestEpoch, epochs } = run;
  const scores = [
    ...(validation ? [`validation mAP ${decimals(validation.mAP)}`] : []),
    ...(test ? [`test mAP ${decimals(test.mAP)}`] : []),
  ];
  const those = (start: string) => own.filter((name) => name.startsWith(start));
  const has = (start: string) => those(start).length > 0;
  const parts = [
    ...(has('best.safetensors') ? [`the weights of epoch ${bestEpoch ?? '?'}`] : []),
    ...(has('kept/') ? [`${counted(those('kept/').length, 'file')} of kept weights`] : []),
    ...(has('last/') && state !== 'finished' ? [`the state after epoch ${epochs.done} to go on from`] : []),
    ...(has('predictions.csv') ? ['predictions'] : []),
    ...(has('report.html') ? ['report'] : []),
  ];
  const what = parts.length > 0 ? `: ${parts.join(', ')}` : '';
  return [
    `${path}: ${[state, `epochs ${RUN_COLUMNS.epochs.text(run)}`, ...scores].join(', ')}`,
    `  lost     ${counted(own.length, 'file')}, ${formatByteSize(bytes)}${what}`,
    ...(foreign.length > 0
      ? [`  stays    ${foreign.join(', ')}: not of the run; so its folder stays, too`]
      : []),
  ];
}

/**
 * Whether a person says yes; the end of the input is a no.
 * @throws ReportError where nobody can be asked
 */
export async function confirmed(
  question: string,
  input: NodeJS.ReadableStream & { readonly isTTY?: boolean } = process.stdin,
  output: Pick<NodeJS.WritableStream, 'write'> = process.stdout,
): Promise<boolean> {
  if (!input.isTTY) throw new ReportError('nobody is there to ask: say --yes to remove these runs.');
  output.write(question);
  const lines = createInterface({ input });
  try {
    for await (const line of lines) return /^y(es)?$/i.test(line.trim());
    return false;
  } finally {
    lines.close();
  }
}
