import { count, decimals, percent, roundPercent, times } from '../../text/numbers.js';
import { type ClassFact, classSummary, type EvaluatedPart, type ExaminedRun } from '../examine-run.js';
import { type Html, html } from '../html.js';
import { classBars } from '../plots/class-bars.js';

/** The long tail: every class from the most to the least common, as a picture and as a table. */
export function classTable(run: ExaminedRun): Html | null {
  const { classes, primary } = run;
  if (classes.length === 0) return null;
  const on = primary === null ? '' : `, measured on ${primary.name}`;
  return html`<section><h3>The long tail, class by class</h3>
<div class="grid2">${prevalenceBars(classes)}${primary !== null && precisionBars(classes, primary)}</div>
<p class="legend">${(['head', 'medium', 'tail'] as const).map((group) => html`<span class="chip ${group}">${group}</span> `)}${primary !== null && html`<span class="guess-key"></span> prevalence guess`}</p>
<div class="scroll"><table class="classes">
<caption>From most to least common in training${on}</caption>
<thead><tr><th>Class</th><th>Group</th><th class="n">Training share</th><th class="n">Train +</th><th class="n">Val +</th><th class="n">Test +</th><th class="n">AP</th><th class="n">AP ÷ guess</th><th class="n">AUROC</th><th class="n">F1 at 0.5</th><th class="n">Best F1</th><th class="n">ECE</th></tr></thead>
<tbody>${classes.map((fact) => row(run, fact))}</tbody>
${primary !== null && meanRow(primary)}
</table></div>
<p class="fine">+: images labelled positive. ${primary !== null && html`Guess: the prevalence on ${primary.name}, which is the AP of scoring every image alike. Best F1 has its threshold chosen on the same images, so it flatters. ECE: expected calibration error, 15 bins.`}</p>
${primary !== null && leftOut(primary)}
</section>`;
}

function prevalenceBars(classes: readonly ClassFact[]): Html | null {
  const known = classes.filter(({ prevalence }) => prevalence > 0);
  if (known.length === 0) return null;
  const least = Math.min(...known.map(({ prevalence }) => prevalence));
  const chart = classBars(
    classes.map(({ name, prevalence, group, trainPositives }) => ({
      name,
      value: prevalence > 0 ? prevalence : Number.NaN,
      tick: null,
      note: trainPositives === null ? percent(prevalence) : count(trainPositives),
      style: group ?? 'none',
    })),
    {
      scale: 'log',
      domain: [10 ** Math.floor(Math.log10(least) - 0.01), 1],
      label: 'share of training images (log scale), their number',
      format: roundPercent,
    },
    'How common each class is in training',
  );
  return html`<figure><figcaption>How common in training</figcaption>${chart}</figure>`;
}

function precisionBars(classes: readonly ClassFact[], part: EvaluatedPart): Html {
  const chart = classBars(
    classes.map((fact) => {
      const { ap, prevalence } = classSummary(part, fact);
      const note = Number.isNaN(ap) ? 'no positives' : `${decimals(ap, 2)} · ${times(ap, prevalence)}`;
      return { name: fact.name, value: ap, tick: prevalence, note, style: fact.group ?? 'none' };
    }),
    { scale: 'linear', domain: [0, 1], label: `average precision on ${part.name}, times its guess` },
    'Average precision of each class beside its prevalence',
  );
  return html`<figure><figcaption>Average precision against a prevalence guess</figcaption>${chart}</figure>`;
}

function row(run: ExaminedRun, fact: ClassFact): Html {
  const positives = (part: EvaluatedPart | null) =>
    html`<td class="n">${count(part === null ? null : classSummary(part, fact).positives)}</td>`;
  const measured = run.primary === null ? null : classSummary(run.primary, fact);
  return html`<tr><th scope="row">${fact.name}</th><td>${fact.group !== null && html`<span class="chip ${fact.group}">${fact.group}</span>`}</td><td class="n">${percent(fact.prevalence)}</td><td class="n">${count(fact.trainPositives)}</td>${positives(run.validation)}${positives(run.test)}<td class="n"><b>${decimals(measured?.ap)}</b></td><td class="n">${times(measured?.ap, measured?.prevalence)}</td><td class="n">${decimals(measured?.auroc)}</td><td class="n">${decimals(measured?.f1)}</td><td class="n">${decimals(measured?.bestF1)}</td><td class="n">${decimals(measured?.ece)}</td></tr>`;
}

function meanRow({ summary: { macro } }: EvaluatedPart): Html {
  return html`<tfoot><tr><th scope="row">Mean of the classes that have it</th><td colspan="5"></td><td class="n"><b>${decimals(macro.mAP)}</b></td><td class="n">${times(macro.mAP, macro.prevalenceGuess)}</td><td class="n">${decimals(macro.auroc)}</td><td class="n">${decimals(macro.f1)}</td><td class="n">${decimals(macro.bestF1)}</td><td class="n">${decimals(macro.ece)}</td></tr></tfoot>`;
}

/** Classes that some mean leaves out, gathered by the missing metrics and the reason. */
function leftOut({ summary, name }: EvaluatedPart): Html {
  const gathered = new Map<string, string[]>();
  for (const { name: className, metrics, reason } of summary.leftOut) {
    const key = `${reason} on ${name} (no ${metrics.map((metric) => LABELS[metric]).join(', ')})`;
    gathered.set(key, [...(gathered.get(key) ?? []), className]);
  }
  if (gathered.size === 0) return html`<p class="fine">No class is left out of a mean.</p>`;
  return html`<p><b>Left out of the means:</b> ${[...gathered].map(
    ([key, names], i) => html`${i > 0 && '; '}${names.join(', ')}: ${key}`,
  )}.</p>`;
}

const LABELS = { mAP: 'AP', auroc: 'AUROC', f1: 'F1', bestF1: 'best F1', ece: 'ECE' } as const;
