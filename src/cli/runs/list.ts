import type { Command } from 'commander';
import { findRuns } from '../../report/runs/find-runs.js';
import { columnNamed, RUN_COLUMNS, sortRuns } from '../../report/runs/run-columns.js';
import { outlineRun, type RunOutline } from '../../report/runs/run-outline.js';
import { parseCondition, runsWhere } from '../../report/runs/run-settings.js';
import { formatRuns } from '../text/run-table.js';
import { terminalOf, writeLines } from '../text/terminal.js';

interface ListFlags {
  readonly sort: string;
  readonly reverse?: boolean;
  readonly where: readonly string[];
  readonly json?: boolean;
}

export function addList(program: Command): void {
  program
    .command('list', { isDefault: true })
    .description('list the runs in folders and below them (the default)')
    .argument('[folder...]', 'where to look (default: runs)')
    .option(
      '--sort <column>',
      `by one of ${Object.keys(RUN_COLUMNS).join(', ')}; numbers and times from the largest, texts from a`,
      'when',
    )
    .option('--reverse', 'the other way round')
    .option(
      '--where <setting=value>',
      'only runs whose recipe has this value, e.g. loss=asl or optimizer.lr=0.001; repeatable',
      (text: string, before: readonly string[]) => [...before, text],
      [],
    )
    .option('--json', 'print a JSON list instead of a table')
    .action(list);
}

async function list(folders: string[], { sort, reverse, where, json }: ListFlags): Promise<void> {
  const column = columnNamed(sort);
  const conditions = where.map(parseCondition);
  const found: RunOutline[] = [];
  for (const path of await findRuns(folders.length > 0 ? folders : ['runs']))
    found.push(await outlineRun(path));
  const runs = sortRuns(runsWhere(found, conditions), column, { reverse });
  if (json) process.stdout.write(`${JSON.stringify(runs.map(asJson), null, 2)}\n`);
  else writeLines(formatRuns(runs, terminalOf()));
}

/** Numbers as they are, absent ones as null. */
function asJson(run: RunOutline) {
  const { path, state, why, when, epochs, bestEpoch, validation, test, seconds, bytes } = run;
  return {
    path,
    state,
    why,
    when: new Date(when).toISOString(),
    model: RUN_COLUMNS.model.value(run),
    loss: RUN_COLUMNS.loss.value(run),
    seed: run.recipe?.seed ?? null,
    epochs,
    bestEpoch,
    validation,
    test,
    seconds,
    bytes,
  };
}
