import { basename, join } from 'node:path';
import { writeAtomically } from '../storage/atomic-file.js';
import { tailrayVersion } from '../storage/version.js';
import { count } from '../text/numbers.js';
import { type CollectedScores, collectScores } from './collect-scores.js';
import { type Comparison, compareVariants } from './compare-variants.js';
import type { ComparisonPlan } from './comparison-plan.js';
import { comparisonPlot } from './comparison-plot.js';
import { comparisonMarkdown } from './comparison-table.js';

/** The result of a comparison: compare.md to read, compare.svg to show, compare.json to compute with. */
export interface WrittenComparison {
  readonly comparison: Comparison;
  readonly scores: CollectedScores;
  readonly files: readonly string[];
  readonly markdown: string;
}

/**
 * Compares the runs that are finished.
 * @returns null while there is none
 * @throws as `collectScores`; StorageError
 */
export async function writeComparison(
  out: string,
  plan: ComparisonPlan,
  { command, resamples }: { readonly command: string; readonly resamples?: number | undefined },
): Promise<WrittenComparison | null> {
  const scores = await collectScores(out, plan);
  if (scores === null) return null;
  const comparison = compareVariants(scores, plan.variants, plan.baseline, resamples);
  const title = `${basename(plan.path).replace(/\.ya?ml$/i, '')}: ${plan.variants.length} variants compared`;
  const note =
    `${scores.simulated ? 'phantoms (simulated), ' : ''}${count(scores.part.n)} ${scores.part.name} images, ` +
    `${plan.seeds.length} seeds`;
  const markdown = comparisonMarkdown(comparison, scores, { title, command });
  const { part, classNames, groups, missing, simulated } = scores;
  const about = { tailray: tailrayVersion, command, part: part.name, images: part.n, simulated, missing };
  const contents = {
    'compare.md': markdown,
    'compare.svg': comparisonPlot(comparison, title, note),
    'compare.json': `${JSON.stringify({ ...about, classes: classNames, groups, ...comparison }, null, 1)}\n`,
  };
  const files: string[] = [];
  for (const [name, content] of Object.entries(contents)) {
    const path = join(out, name);
    await writeAtomically(path, content);
    files.push(path);
  }
  return { comparison, scores, files, markdown };
}
