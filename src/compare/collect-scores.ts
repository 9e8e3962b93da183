import { areSimulated } from '../data/images/simulated.js';
import { type FrequencyGroup, frequencyGroup } from '../data/tables/findings.js';
import { countLabels } from '../data/tables/table.js';
import { finalRecipe } from '../recipe/recipe-stages.js';
import { alignedScores } from '../report/compare-runs.js';
import { type FoundData, findData, type LabelledPart, labelledPart } from '../report/run-labels.js';
import { readRunRecord } from '../report/run-record.js';
import { CompareError } from './compare-error.js';
import type { Cell, ComparisonPlan } from './comparison-plan.js';
import { cellState, runOf } from './run-cells.js';

/** The predictions of all finished runs of a comparison, image by image beside one and the same truth. */
export interface CollectedScores {
  /** The part that all runs are measured on: test where there is one, else validation. */
  readonly part: LabelledPart;
  /** [classes] */
  readonly classNames: readonly string[];
  /** [classes] by the prevalence in training. */
  readonly groups: readonly FrequencyGroup[];
  readonly simulated: boolean;
  readonly runs: readonly ScoredRun[];
  /** Names of the runs that are not finished. */
  readonly missing: readonly string[];
}

export interface ScoredRun {
  readonly variant: string;
  readonly seed: number;
  /** [n, classes] in the order of the part's images. */
  readonly scores: Float32Array;
}

/**
 * @returns null while no run is finished
 * @throws CompareError when runs were measured on different images or labels, or can't be measured; ReportError for a
 *   damaged run
 */
export async function collectScores(out: string, plan: ComparisonPlan): Promise<CollectedScores | null> {
  const runs: ScoredRun[] = [];
  const missing: string[] = [];
  const found = new Map<string, Promise<FoundData>>();
  let first: (Omit<CollectedScores, 'runs' | 'missing'> & { readonly path: string }) | undefined;
  for (const cell of plan.cells) {
    const run = runOf(out, cell);
    if ((await cellState(run, cell)) !== 'finished') {
      missing.push(cell.name);
      continue;
    }
    const { data: measured, preprocessing } = finalRecipe(cell.recipe);
    const key = JSON.stringify([measured, preprocessing]);
    const data = found.get(key) ?? dataOf(cell);
    found.set(key, data);
    const { source } = await data;
    const record = await readRunRecord(run.path);
    const part = labelledPart(record, source, 'test') ?? labelledPart(record, source, 'validation');
    if (part === null) {
      throw new CompareError(
        `${run.path}: no image was held out, so there is nothing to compare the runs on.`,
      );
    }
    if ('reason' in part) throw new CompareError(part.reason);
    first ??= {
      path: run.path,
      part,
      classNames: source.classes,
      groups: groupsOf(await data),
      simulated: record.checkpoint?.simulated ?? (await areSimulated((await data).path)),
    };
    const scores = first.part.name === part.name ? alignedScores(first.part, part) : null;
    if (scores === null) {
      throw new CompareError(
        `${run.path} was measured on other images or labels than ${first.path}: variants must share data and split.`,
      );
    }
    runs.push({ variant: cell.variant, seed: cell.seed, scores });
  }
  return first ? { ...first, runs, missing } : null;
}

async function dataOf({ recipe }: Cell): Promise<FoundData> {
  const data = await findData(finalRecipe(recipe));
  if ('reason' in data) throw new CompareError(`the labels can't be read: ${data.reason}`);
  return data;
}

function groupsOf({ source }: FoundData): FrequencyGroup[] {
  const { positives, known } = countLabels(source.train.table, source.train.indices);
  return source.classes.map((_, c) => frequencyGroup((positives[c] ?? 0) / (known[c] ?? 0)));
}
