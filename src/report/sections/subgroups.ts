import type { Interval } from '../../eval/metrics/interval.js';
import type { MeasuredColumn } from '../../eval/metrics/subgroups.js';
import { count, counted, signed } from '../../text/numbers.js';
import type { ExaminedRun } from '../examine-run.js';
import { type Content, type Html, html } from '../html.js';
import { numbersTable } from '../plots/plot-figure.js';
import { withInterval } from '../shown-metrics.js';
import type { Section } from './section.js';

/** The same model on parts of the images, where the table has columns that part them: sex, age, view, device. */
export function subgroups({ primary }: ExaminedRun): Section | null {
  if (primary === null || primary.measured.subgroups.length === 0) return null;
  const content = html`<p class="fine">On ${primary.name}, macro means with 95 % intervals. A gap is the difference from the largest subgroup over the classes that both have, on the same draws of patients; one without zero (bold) is unlikely to be luck of these patients. A gap can be the model’s, or that of how often and how severely either has the findings: average precision rises with prevalence, AUROC does not.</p>
${primary.measured.subgroups.map(columnTable)}`;
  return { key: 'subgroups', title: 'Subgroups', content };
}

function columnTable({ name, subgroups: values, unknown }: MeasuredColumn): Html {
  const titles = ['Subgroup', 'Images', 'Patients', 'AP', 'Gap in AP', 'AUROC', 'Gap in AUROC', 'ECE'];
  const rows = values.map(({ value, images, patients, measures, gap, whyMissing }): Content[] => {
    const start = [value, count(images), count(patients)];
    if (measures === null) return [...start, whyMissing ?? '', '', '', '', ''];
    const { ap, auroc, ece } = measures.macro;
    const gapIn = (metric: 'ap' | 'auroc') => (gap === null ? 'the largest' : gapText(gap.macro[metric]));
    return [...start, withInterval(ap), gapIn('ap'), withInterval(auroc), gapIn('auroc'), withInterval(ece)];
  });
  return html`<h4>${name}</h4>${numbersTable({ columns: titles.map((title) => ({ title })), rows }, `Subgroups by ${name}`)}${unknown > 0 && html`<p class="fine">Of ${counted(unknown, 'image')} it is not known.</p>`}`;
}

function gapText({ estimate, low, high }: Interval): Content {
  const value = low > 0 || high < 0 ? html`<b>${signed(estimate)}</b>` : signed(estimate);
  return html`${value}<span class="below">${signed(low)} to ${signed(high)}</span>`;
}
