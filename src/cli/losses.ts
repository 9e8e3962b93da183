#!/usr/bin/env node
/** `losses`: which losses there are, what their parameters mean, and where they come from. */
import type { Loss } from '../losses/define/loss.js';
import { SUM } from '../losses/define/sum-of-losses.js';
import { findLoss, registeredLosses } from '../losses/registry.js';
import { isLossFile, readLossFile } from '../recipe/loss-file.js';
import { paddedTable } from '../text/padded-table.js';
import { command, runCommand } from './command.js';

const program = command('losses')
  .argument('[name]', 'a loss, or a file with one of your own')
  .option('--json', 'print everything as JSON')
  .action(list);

async function list(name: string | undefined, { json }: { readonly json?: boolean }): Promise<void> {
  if (json) {
    const facts = ({ name, summary, source, parameters }: Loss) => ({ name, summary, source, parameters });
    const chosen =
      name === undefined ? [...registeredLosses(), findLoss(SUM)].map(facts) : facts(await lossOf(name));
    process.stdout.write(`${JSON.stringify(chosen, null, 2)}\n`);
    return;
  }
  process.stdout.write(`${name === undefined ? overview() : describe(await lossOf(name))}\n`);
}

async function lossOf(name: string): Promise<Loss> {
  return isLossFile(name) ? (await readLossFile(name)).loss : findLoss(name);
}

function overview(): string {
  const losses = registeredLosses();
  const rows = losses.flatMap(({ name, summary, parameters }) => {
    const own = parameters.filter((parameter) => parameter.name !== 'labelSmoothing');
    const settings = own.map((parameter) => `${parameter.name} ${JSON.stringify(parameter.default)}`);
    return [[name, summary], ...(settings.length > 0 ? [['', settings.join(', ')]] : [])];
  });
  const { name, summary } = findLoss(SUM);
  return [
    ...paddedTable([...rows, [name, summary]]),
    '',
    'Each also takes labelSmoothing (in a sum, each part its own), and reduction: mean (over known labels), sum, or batchmean (sum / images).',
    'Choose one with: tailray train --loss NAME --set loss.PARAMETER=VALUE. Its parameters: tailray losses NAME.',
  ].join('\n');
}

function describe({ name, summary, source, parameters }: Loss): string {
  const settings = paddedTable(
    parameters.map((parameter) => [
      `  ${parameter.name}`,
      `${parameter.description}${parameter.default === undefined ? '' : ` (default ${JSON.stringify(parameter.default)})`}`,
    ]),
  );
  return [`${name}: ${summary}`, `source: ${source}`, ...settings].join('\n');
}

await runCommand(program);
