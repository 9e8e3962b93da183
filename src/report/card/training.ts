import { stringify } from 'yaml';
import { formatSeconds } from '../../text/duration.js';
import { count, NOTHING } from '../../text/numbers.js';
import { block, code, list, plain } from '../markdown.js';
import type { CardFacts } from './card-facts.js';

/** The training: enough to do it again. */
export function trainingSection({ about, run }: CardFacts): string {
  const { summary, saved, epochs } = run?.record ?? { summary: null, saved: null, epochs: [] };
  const adapter = summary?.adapter ?? saved?.adapter;
  const seconds = epochs.reduce((sum, line) => sum + line.seconds, 0);
  const weights = about.weights === 'average' ? 'the moving average' : 'as trained';
  const facts = [
    `weights: ${weights}, after epoch ${about.epoch} (step ${count(about.step)})${about.metrics.mAP === null ? ', the last: no validation chose it' : ', the best by validation mAP'}`,
    `software: tailray ${plain(summary?.tailray ?? about.tailray)}`,
    `adapter: ${adapter === undefined ? 'not recorded' : code(adapter)}`,
    `time of the epochs: ${epochs.length === 0 ? NOTHING : formatSeconds(seconds)}`,
  ];
  return [
    '## Training',
    list(facts),
    '<details><summary>The complete recipe</summary>',
    block('yaml', stringify(run?.simulated === false ? withoutPhantoms(about.recipe) : about.recipe)),
    '</details>',
    'The same recipe, data and adapter give the same bytes.',
  ].join('\n\n');
}

/** The phantoms that are drawn where a recipe names no data. */
function withoutPhantoms(recipe: CardFacts['about']['recipe']): object {
  const without = (data: unknown) => ({ ...(data as object | undefined), phantoms: undefined });
  const stages = recipe.stages as { data?: unknown }[] | undefined;
  return {
    ...recipe,
    data: without(recipe.data),
    ...(stages && {
      stages: stages.map((stage) => (stage.data ? { ...stage, data: without(stage.data) } : stage)),
    }),
  };
}
