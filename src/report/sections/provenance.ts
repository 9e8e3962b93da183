import { parameterCount } from '../../models/model.js';
import { formatRecipe } from '../../recipe/recipe.js';
import { keptIn } from '../../recipe/recipe-paths.js';
import { stageRecipes } from '../../recipe/recipe-stages.js';
import { count, counted, NOTHING } from '../../text/numbers.js';
import { networkOf } from '../../weights/checkpoint.js';
import { describeLoss, describeModel, lossName } from '../describe-run.js';
import type { ExaminedRun } from '../examine-run.js';
import { shellWord } from '../format.js';
import { type Content, type Html, html } from '../html.js';
import { recordedStages } from '../recorded-stages.js';
import type { RunRecord } from '../run-record.js';
import type { Section } from './section.js';

/** How the run was computed and how to compute it again. */
export function provenance({ record }: ExaminedRun): Section {
  const { recipe, final, summary, checkpoint } = record;
  const [height, width] = final.preprocessing.size;
  const parameters = checkpoint === null ? null : parameterCount(networkOf(checkpoint));
  const facts: [string, Content][] = [
    [
      'Model',
      `${describeModel(final)}, ${count(parameters)} parameters, input ${height} × ${width} × ${final.preprocessing.channels}`,
    ],
    ['Loss', describeLoss(final)],
    ...stageFacts(record),
    ['Seed', String(recipe.seed)],
    [
      'Weights kept',
      checkpoint === null
        ? NOTHING
        : `${checkpoint.weights === 'average' ? 'moving average' : 'as trained'}, epoch ${checkpoint.epoch}, step ${count(checkpoint.step)}`,
    ],
    ['Trained with', `tailray ${summary?.tailray ?? checkpoint?.tailray ?? NOTHING}`],
  ];
  const content = html`<dl>${facts.map(([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`)}</dl>
${commands(record)}
<h4>The complete recipe</h4>
<pre class="recipe">${formatRecipe(keptIn(record.path, recipe))}</pre>`;
  return { key: 'again', title: 'How to compute it again', content };
}

/** Of a run in stages: what each was, in a line. */
function stageFacts(record: RunRecord): [string, Content][] {
  const stages = recordedStages(record);
  if (stages.length === 1) return [];
  return stages.map(({ name, recipe }, i) => {
    const own = record.summary?.stages?.[i];
    const { images, unreadable } = own?.data.train ?? { images: 0, unreadable: 0 };
    const parts = [
      ...(name === undefined ? [] : [name]),
      counted(recipe.schedule.epochs, 'epoch'),
      ...(own ? [`${count(images - unreadable)} images, ${own.classes.length} classes`] : []),
      `head ${recipe.model.head.name}`,
      `loss ${lossName(recipe)}`,
    ];
    return [`Stage ${i + 1}`, parts.join(', ')];
  });
}

function commands({ name, recipe, summary, saved }: RunRecord): Html {
  const folder = shellWord(`runs/${name}`);
  const again = `npx tailray train --recipe ${shellWord(`runs/${name}/recipe.yaml`)} --out ${shellWord(`runs/${name}-again`)}`;
  const finished = summary?.status === 'finished';
  return html`<h4>Reproduce</h4><pre>${again}</pre>
<p class="fine">Write the path of the run’s folder where it does not lie in runs/. The same seed on the same adapter gives the same bytes${stageRecipes(recipe).some(({ data }) => data.path === undefined) && '; the phantoms are drawn again from the recipe'}.</p>
${!finished && html`<h4>Resume</h4><pre>npx tailray train --resume --out ${folder}</pre>${saved !== null && html`<p class="fine">Goes on after step ${count(saved.progress.step)}.</p>`}`}`;
}
