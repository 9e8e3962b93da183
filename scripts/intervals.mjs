/**
 * `node scripts/intervals.mjs`: how often 95 % intervals hold the true value, by simulation, written to docs/intervals.md.
 * The truth is known because the scores are drawn from normal distributions: 0 and `skill` are the means of negatives and
 * positives, 1 is the deviation of both. Needs `npm run build`.
 */
import { writeFileSync } from 'node:fs';
import { Random } from '#src/engine/random.js';
import { meanOfDefined, measureClasses } from '#src/eval/metrics/class-metrics.js';
import { aurocComponents, aurocCovariance, intervalOfComponents } from '#src/eval/metrics/delong.js';
import { bcaInterval, percentileInterval } from '#src/eval/metrics/interval.js';
import { normalCdf, normalQuantile } from '#src/eval/metrics/normal.js';
import { leavingOut, numberPatients, overDraws } from '#src/eval/metrics/patient-draws.js';
import { rankScores } from '#src/eval/metrics/tally.js';
import { decimals, percent } from '#src/text/numbers.js';
import { speed } from './intervals/speed.mjs';

const LEVEL = 0.95;
const DRAWS = 1000;
const CLASS_TRIALS = 600;
const MEAN_TRIALS = 300;
const PAIR_TRIALS = 400;
const IMAGES = 1000;
const PAIR_IMAGES = 400;

/** The average precision of endless images: precision integrated over recall. */
function trueAveragePrecision(prevalence, skill) {
  const step = 0.002;
  let sum = 0;
  for (let t = -8; t < 12; t += step) {
    const hits = prevalence * (1 - normalCdf(t - skill));
    const alarms = (1 - prevalence) * (1 - normalCdf(t));
    const density = Math.exp(-((t - skill) ** 2) / 2) / Math.sqrt(2 * Math.PI);
    if (hits > 0) sum += (hits / (hits + alarms)) * density * step;
  }
  return sum;
}

function labels(random, n, positives) {
  const targets = new Float64Array(n);
  for (const i of random.shuffle(Array.from({ length: n }, (_, i) => i)).slice(0, positives)) targets[i] = 1;
  return targets;
}

function ranked(random, n, positives, skill) {
  const targets = labels(random, n, positives);
  return rankScores(
    targets.map((y) => y * skill + random.normal()),
    targets,
  );
}

/** Both kinds of interval of one statistic of `measure`'s values. */
function both(n, seed, measure, statistic) {
  const options = { n, resamples: DRAWS, seed };
  const estimate = statistic(measure());
  const draws = overDraws(options, (weights) => statistic(measure(weights)));
  const jackknife = leavingOut(options, (weights) => statistic(measure(weights)));
  return {
    percentile: percentileInterval(estimate, draws, LEVEL),
    BCa: bcaInterval({ estimate, draws, jackknife }, LEVEL),
  };
}

/** DeLong's intervals of one area, with equal arms and on the logit scale. */
function delong(ranking) {
  const components = aurocComponents(ranking, numberPatients({ n: IMAGES }));
  const reach = normalQuantile((1 + LEVEL) / 2) * Math.sqrt(aurocCovariance(components, components));
  const none = { low: Number.NaN, high: Number.NaN };
  const { auroc } = components;
  return {
    DeLong: reach > 0 ? { low: auroc - reach, high: Math.min(1, auroc + reach) } : none,
    'DeLong, logit': intervalOfComponents(components, LEVEL),
  };
}

/** Counts where the truth lies. */
class Count {
  trials = 0;
  none = 0;
  tooHigh = 0;
  tooLow = 0;
  width = 0;

  add({ low, high }, truth) {
    this.trials++;
    if (Number.isNaN(low)) this.none++;
    else {
      if (truth < low) this.tooHigh++;
      if (truth > high) this.tooLow++;
      this.width += high - low;
    }
  }

  get cells() {
    const had = this.trials - this.none;
    const share = (count) => percent(count / had, 1);
    return [
      share(had - this.tooHigh - this.tooLow),
      share(this.tooHigh),
      share(this.tooLow),
      decimals(this.width / had),
      percent(this.none / this.trials, 1),
    ];
  }
}

const METHODS = /** @type {const} */ (['percentile', 'BCa']);
const DELONG = /** @type {const} */ (['DeLong', 'DeLong, logit']);

function classTable() {
  const skill = 1.5;
  return [3, 10, 100].flatMap((positives) =>
    ['mAP', 'auroc'].flatMap((metric) => {
      const truth =
        metric === 'auroc' ? normalCdf(skill / Math.SQRT2) : trueAveragePrecision(positives / IMAGES, skill);
      const methods = metric === 'auroc' ? [...METHODS, ...DELONG] : METHODS;
      const counts = Object.fromEntries(methods.map((method) => [method, new Count()]));
      for (let trial = 0; trial < CLASS_TRIALS; trial++) {
        const rankings = [ranked(new Random(trial, 'class', positives), IMAGES, positives, skill)];
        const measure = (weights) => measureClasses([metric], rankings, {}, weights);
        const intervals = {
          ...both(IMAGES, trial, measure, ([value]) => value),
          ...(metric === 'auroc' && delong(rankings[0])),
        };
        for (const method of methods) counts[method].add(intervals[method], truth);
      }
      const name = metric === 'mAP' ? 'AP' : 'AUROC';
      return methods.map((method) => [
        String(positives),
        name,
        decimals(truth),
        method,
        ...counts[method].cells,
      ]);
    }),
  );
}

function meanTable() {
  const classes = [1, 2, 3, 3, 5, 5, 10, 10, 30, 30, 100, 300].map((positives, c) => ({
    positives,
    skill: [1.5, 1, 2, 0.8, 1.5, 2.2, 1, 2, 1.5, 0.8, 1.2, 1.8][c] ?? 1,
  }));
  const sets = [
    { title: 'all twelve', members: classes },
    { title: 'the six with 10 or more', members: classes.slice(6) },
  ];
  return sets.flatMap(({ title, members }) => {
    const truth = meanOfDefined(
      members.map(({ positives, skill }) => trueAveragePrecision(positives / IMAGES, skill)),
    );
    const counts = { percentile: new Count(), BCa: new Count() };
    for (let trial = 0; trial < MEAN_TRIALS; trial++) {
      const random = new Random(trial, 'mean', title);
      const rankings = members.map(({ positives, skill }) => ranked(random, IMAGES, positives, skill));
      const measure = (weights) => measureClasses(['mAP'], rankings, {}, weights);
      const intervals = both(IMAGES, trial, measure, meanOfDefined);
      for (const method of METHODS) counts[method].add(intervals[method], truth);
    }
    return METHODS.map((method) => [title, decimals(truth), method, ...counts[method].cells]);
  });
}

/** Two models that are equally good and have most of their errors in common. */
function pairTable() {
  const sets = [
    [3, 4, 5, 6],
    [10, 20, 50, 100],
  ];
  return sets.flatMap((positives) => {
    const counts = { percentile: new Count(), BCa: new Count() };
    for (let trial = 0; trial < PAIR_TRIALS; trial++) {
      const random = new Random(trial, 'pair');
      const models = [[], []];
      for (const count of positives) {
        const targets = labels(random, PAIR_IMAGES, count);
        const shared = targets.map((y) => y * 1.5 + random.normal(0, 0.8));
        for (const model of models) {
          model.push(
            rankScores(
              shared.map((score) => score + random.normal(0, 0.6)),
              targets,
            ),
          );
        }
      }
      const measure = (weights) => models.map((model) => measureClasses(['mAP'], model, {}, weights));
      const difference = ([first, second]) => meanOfDefined(second) - meanOfDefined(first);
      const intervals = both(PAIR_IMAGES, trial, measure, difference);
      for (const method of METHODS) counts[method].add(intervals[method], 0);
    }
    return METHODS.map((method) => [positives.join(', '), method, ...counts[method].cells]);
  });
}

function table(titles, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}

const RESULTS = ['holds it', 'wholly above it', 'wholly below it', 'mean width', 'no interval'];

writeFileSync(
  new URL('../docs/intervals.md', import.meta.url),
  `# How far to trust the intervals

Intervals of a single run are BCa bootstrap intervals (Efron 1987) over patients; that of one class's AUROC is DeLong's (1988)
on the scale of the logit, with patients as clusters where they have several images (Obuchowski 1997). \`evaluate\`, \`report\` and
the model card print them. BCa replaces percentile intervals, whose estimate often lay at the edge of its own interval: a draw of patients
with replacement repeats some positives, and leaves rare classes out of the mean, so that most draws score higher than the
data. BCa measures that shift and takes it back. Its acceleration comes from a jackknife over patients: each patient is left
out once, or each of 200 random groups of patients where there are more than 200 patients.

No bootstrap makes up for positives that are not there. The tables below say how often a 95 % interval held the true value,
in a simulation where it is known (\`node scripts/intervals.mjs\` makes this page): normal scores, ${IMAGES} patients with
one image each, ${DRAWS} draws. 95 % would be right.

## One class

${CLASS_TRIALS} trials, positives 1.5 deviations above negatives. The chance of these shares is about ± 2 %.

${table(['positives', 'metric', 'true value', 'interval', ...RESULTS], classTable())}

DeLong's interval needs no draws. With equal arms it reaches beyond 1 where positives are few, and is cut there; on the logit
scale it stays inside by itself, and it is the one that is used. A class whose positives all come from one patient has no interval, and neither has one that every draw scores alike (such as
an AUROC of 1). Where there is none, the reason is given in its place.

## Macro mean of the average precision

${MEAN_TRIALS} trials, twelve classes with 1 to 300 positives. The chance of these shares is about ± 4 %. With few positives the
average precision itself is too high on average; no interval around it corrects that.

${table(['classes', 'true value', 'interval', ...RESULTS], meanTable())}

## The difference between two models

${PAIR_TRIALS} trials, ${PAIR_IMAGES} patients, four classes, two models that are equally good: an interval that does not hold 0 is a false
alarm, and 5 % would be right. The percentile interval is the better one here, since draws move both models alike. So
\`compare\`, \`evaluate\` of two and the comparison of runs in \`report\` keep it.

${table(['positives', 'interval', ...RESULTS], pairTable())}

## Time

${speed()} Scores are sorted once; a draw only counts again, in one walk over the sorted images. \`node scripts/intervals/speed.mjs\`
measures it anew.
`,
);
