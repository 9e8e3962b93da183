/**
 * `node scripts/zeroshot-phantoms.mjs FOLDER`: how well a projection head names findings that nobody labelled, on phantoms,
 * written to docs/zeroshot/phantoms.md. Trains 11 small networks into FOLDER, about 25 minutes on two CPU cores; networks
 * that are there already are not trained again. Needs `npm run build`.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { encodeGreyPng } from '#src/data/images/encode-png.js';
import { csvText } from '#src/data/tables/csv-text.js';
import { IN_DISTRIBUTION, OUT_OF_DISTRIBUTION } from '#src/data/tables/findings.js';
import { readTable } from '#src/data/tables/table.js';
import { meanOfDefined, measureClasses, rankClasses } from '#src/eval/metrics/class-metrics.js';
import { bcaInterval } from '#src/eval/metrics/interval.js';
import { leavingOut, overDraws } from '#src/eval/metrics/patient-draws.js';
import { meanInterval } from '#src/eval/metrics/student-t.js';
import { samplePhantomCases } from '#src/phantom/cases.js';
import { writePhantomDataset } from '#src/phantom/dataset.js';
import { drawPhantom } from '#src/phantom/draw.js';
import { openDevice } from '#src/platform/node/open-device.js';
import { datasetTargets } from '#src/predict/predict.js';
import { readPredictions } from '#src/predict/predictions.js';
import { decimals, signed } from '#src/text/numbers.js';
import { embedImages } from '#src/zeroshot/embed-images.js';
import { evaluateGeneralised } from '#src/zeroshot/generalised.js';
import { openImageTextModel } from '#src/zeroshot/open-image-text-model.js';
import { OUR_PROMPTS } from '#src/zeroshot/our-prompts.js';
import { readPrompts } from '#src/zeroshot/prompts.js';
import { defaultCandidates } from '#src/zeroshot/proxy-candidates.js';
import { proxyUnseen } from '#src/zeroshot/proxy-unseen.js';
import { scoreZeroShot } from '#src/zeroshot/scoring/score-zeroshot.js';
import { embedPrompts } from '#src/zeroshot/scoring/text-embeddings.js';

const SEEDS = [0, 1, 2, 3, 4];
const LEVEL = 0.95;
const RESAMPLES = 1000;
const SIZE = 64;
const PHANTOMS = { count: 4000, size: SIZE, seed: 21, imbalance: 100, minPositives: 20, ood: true };
/** The images with labels of the unseen findings, for the ceiling: others than those that are scored. */
const LABELLED = { count: 4000, seed: 22, ood: true };
const RECIPE = 'recipes/projection-phantoms.yaml';
const IDS = ['ImageID', 'StudyDate_DICOM', 'PatientID'];

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('name a folder for data and runs.');
mkdirSync(folder, { recursive: true });

const data = await drawData();
const proxies = chooseProxies();
const device = await openDevice();
const runs = SEEDS.map((seed) => ({
  projection: train(`projection-${seed}`, { seed, data: data.folder }),
  ceiling: train(`ceiling-${seed}`, { seed, data: data.ceiling, change: withLabels }),
}));
const proxyRun = train('proxy', { seed: 0, data: data.folder, change: withoutProxies });
const zeroshot = await part('zeroshot.csv');
const test = await part('test.csv');
const projections = [];
for (const { projection } of runs) projections.push(await embedded(projection));
const proxy = await embedded(proxyRun);
const ceilings = [];
for (const { ceiling } of runs) ceilings.push(await predicted(ceiling));
device.close();
writeFileSync('docs/zeroshot/phantoms.md', page());
process.stdout.write('written    docs/zeroshot/phantoms.md\n');

/** Phantoms with unseen findings, and a table in which these have labels. */
async function drawData() {
  const out = join(folder, 'data');
  if (!existsSync(out)) await writePhantomDataset({ ...PHANTOMS, out });
  const ceiling = join(folder, 'ceiling-data');
  if (existsSync(ceiling)) return { folder: out, ceiling };
  const images = join(ceiling, 'images');
  mkdirSync(images, { recursive: true });
  const seen = readFileSync(join(out, 'train.csv'), 'utf8').trimEnd().split('\n').slice(1);
  const rows = seen.map((line) => [...line.split(','), ...OUT_OF_DISTRIBUTION.map(() => '0')]);
  for (const [image = ''] of rows) linkSync(join(out, 'images', image), join(images, image));
  for (const one of samplePhantomCases(LABELLED).filter(({ split }) => split === 'zeroshot')) {
    const { pixels, width, height } = drawPhantom({ ...one, size: SIZE });
    writeFileSync(join(images, one.imageId), encodeGreyPng(pixels, width, height));
    const labels = OUT_OF_DISTRIBUTION.map((name) => (one.findings.includes(name) ? '1' : '0'));
    rows.push([one.imageId, one.studyDate, one.patientId, ...IN_DISTRIBUTION.map(() => ''), ...labels]);
  }
  writeFileSync(
    join(ceiling, 'train.csv'),
    csvText([[...IDS, ...IN_DISTRIBUTION, ...OUT_OF_DISTRIBUTION], ...rows]),
  );
  return { folder: out, ceiling };
}

/** Every third of the seen findings by frequency in training, so that the choice depends on no result. */
function chooseProxies() {
  const [header, ...rows] = readFileSync(join(data.folder, 'train.csv'), 'utf8').trimEnd().split('\n');
  const columns = header.split(',');
  const positives = (name) => rows.filter((row) => row.split(',')[columns.indexOf(name)] === '1').length;
  const findings = IN_DISTRIBUTION.filter((name) => name !== 'Normal');
  const counts = new Map(findings.map((name) => [name, positives(name)]));
  return findings.sort((a, b) => counts.get(b) - counts.get(a)).filter((_, i) => i % 3 === 1);
}

function withLabels({ zeroshot: _, ...recipe }) {
  const head = { ...recipe.model.head, embeddings: 'learned' };
  return { ...recipe, model: { ...recipe.model, head } };
}

function withoutProxies(recipe) {
  const classes = IN_DISTRIBUTION.filter((name) => !proxies.includes(name));
  const unseen = [...recipe.zeroshot.unseen, ...proxies];
  return { ...recipe, data: { ...recipe.data, classes }, zeroshot: { ...recipe.zeroshot, unseen } };
}

function train(name, { seed, data: path, change = (recipe) => recipe }) {
  const out = join(folder, name);
  if (existsSync(join(out, 'summary.json'))) return out;
  const recipe = join(folder, `${name}.yaml`);
  writeFileSync(recipe, stringify(change(parse(readFileSync(RECIPE, 'utf8')))));
  const words = [
    '--recipe',
    recipe,
    '--data',
    path,
    '--seed',
    String(seed),
    '--out',
    out,
    '--force',
    '--quiet',
  ];
  execFileSync(process.execPath, ['dist/cli/train.js', ...words], { stdio: 'inherit' });
  return out;
}

async function part(name) {
  const table = await readTable(join(data.folder, name));
  return { table, imageRoot: data.folder };
}

/** Embeddings of both parts and of all prompts. */
async function embedded(run) {
  const model = await openImageTextModel(device, run, { batchSize: 32 });
  const prompts = await readPrompts(OUR_PROMPTS);
  const texts = await embedPrompts(prompts, model.width, (list) => model.textSide().encode(list));
  const own = { training: model.training, texts };
  for (const [name, source] of Object.entries({ zeroshot, test })) {
    const { embeddings, all } = await embedImages(model, source, { batchSize: 32 });
    own[name] = { embeddings, all, targets: datasetTargets(all) };
  }
  await model.destroy();
  return own;
}

/** Of the network that was trained with labels: [images, six findings]. */
async function predicted(run) {
  const out = join(folder, 'predictions.csv');
  const words = [join(run, 'best.safetensors'), join(data.folder, 'zeroshot_evaluation.csv'), '--out', out];
  execFileSync(process.execPath, ['dist/cli/predict.js', ...words, '--force', '--quiet'], {
    stdio: 'inherit',
  });
  const { classes, rows } = await readPredictions(out);
  const columns = OUT_OF_DISTRIBUTION.map((name) => classes.indexOf(name));
  return Float64Array.from(rows.flatMap(({ probabilities }) => columns.map((c) => probabilities[c])));
}

/** Rows of a labelled part in the form that metrics take. */
function shapeOf({ all }, classNames) {
  const n = all.length;
  const patients = Array.from({ length: n }, (_, i) => all.row(i).patient);
  return { n, classes: classNames.length, classNames, patients, resamples: RESAMPLES };
}

/**
 * A mean over seeds of a statistic of scores, with an interval over patients (BCa) and one over seeds (Student's t).
 * @param measures of each seed, a function from weights of images to a number
 */
function measured(measures, shape) {
  const perSeed = measures.map((measure) => measure());
  const mean = (weights) => meanOfDefined(measures.map((measure) => measure(weights)));
  const draws = overDraws(shape, mean);
  const overPatients = bcaInterval({ estimate: mean(), draws, jackknife: leavingOut(shape, mean) }, LEVEL);
  return { estimate: mean(), perSeed, overPatients, overSeeds: meanInterval(perSeed, LEVEL) };
}

/** Macro AP or AUROC of scores [n, classes] under weights of images. */
function macro(metric, scores, targets, shape) {
  const rankings = rankClasses(scores, targets, shape);
  return (weights) => meanOfDefined(measureClasses([metric], rankings, {}, weights));
}

/** The mean over all ways to give each finding's prompts to another of the six. */
function shuffled(metric, scores, targets, shape) {
  const { classes, n } = shape;
  const turned = Array.from({ length: classes - 1 }, (_, by) => {
    const other = new Float64Array(scores.length);
    for (let i = 0; i < n; i++) {
      for (let c = 0; c < classes; c++) {
        other[i * classes + c] = scores[i * classes + ((c + by + 1) % classes)];
      }
    }
    return macro(metric, other, targets, shape);
  });
  return (weights) => meanOfDefined(turned.map((measure) => measure(weights)));
}

function unseenScores({ zeroshot: { embeddings }, texts }, rules) {
  const inputs = { images: embeddings, texts, classes: OUT_OF_DISTRIBUTION, rules };
  return scoreZeroShot(inputs).scores;
}

function page() {
  const { targets } = projections[0].zeroshot;
  const shape = shapeOf(projections[0].zeroshot, OUT_OF_DISTRIBUTION);
  const prevalence = OUT_OF_DISTRIBUTION.map(
    (_, c) => targets.filter((y, i) => i % shape.classes === c && y === 1).length / shape.n,
  );
  const plain = projections.map((own) => unseenScores(own, ['mean']));
  const rows = [];
  const add = (name, ap, auroc) => {
    rows.push(`| ${name} | ${both(ap)} | ${decimals(auroc.estimate, 3)} ${span(auroc.overPatients)} |`);
  };
  const of = (metric, list, how) =>
    measured(
      list.map((scores) => how(metric, scores, targets, shape)),
      shape,
    );
  add('**projection head**, mean of the prompts', of('mAP', plain, macro), of('auroc', plain, macro));
  add('the same, prompts of another finding', of('mAP', plain, shuffled), of('auroc', plain, shuffled));
  add('trained with labels of the six', of('mAP', ceilings, macro), of('auroc', ceilings, macro));
  const gain = measured(
    plain.map((scores) => {
      const [own, others] = [macro('mAP', scores, targets, shape), shuffled('mAP', scores, targets, shape)];
      return (weights) => own(weights) - others(weights);
    }),
    shape,
  );
  const perClass = OUT_OF_DISTRIBUTION.map((name, c) => {
    const one = (list) =>
      list.map((scores) => {
        const rankings = rankClasses(scores, targets, shape);
        return (weights) => measureClasses(['mAP'], rankings, {}, weights)[c];
      });
    const [own, ceiling] = [measured(one(plain), shape), measured(one(ceilings), shape)];
    return `| ${name} | ${decimals(prevalence[c], 3)} | ${both(own)} | ${both(ceiling)} |`;
  });
  const judged = judge();
  const ruleRows = judged.candidates.map((candidate) => {
    const lists = projections.map((own) => unseenScores(own, candidate.rules));
    const after = of('mAP', lists, macro);
    const marks = [
      ...(candidate.name === judged.best ? ['best'] : []),
      ...(candidate.name === judged.chosen ? ['**chosen**'] : []),
    ];
    return `| ${candidate.name} | ${decimals(candidate.mAP.estimate, 3)} ${span(candidate.mAP)} | ${marks.join(', ')} | ${both(after)} |`;
  });
  const generalised = projections.map(seenAndUnseen);
  const over = (pick) => both({ ...meanOver(generalised.map(pick)) });
  return `# Unseen findings on phantoms

Written by \`node scripts/zeroshot-phantoms.mjs\`; the recipe is \`recipes/projection-phantoms.yaml\`. Phantoms are pictures drawn by
a program. These numbers say how the method behaves, and nothing about patients.

A small ResNet (width 16, 64 pixels) learns from ${PHANTOMS.count} phantoms with labels of 30 findings. Its head compares an embedding of
the image with embeddings of prompts, by an encoder of words that is trained along. Then it scores ${shape.n} other phantoms of
${new Set(shape.patients).size} patients for six findings that no training image has, by their prompts alone. The run's \`summary.json\`
lists the labels that were read. Each number is the mean over ${SEEDS.length} seeds, with a 95 % interval over patients (BCa) and, behind
"seeds", one over seeds (Student's t).

| scores of the six findings | macro AP | macro AUROC |
|---|---|---|
| chance: the prevalence | ${decimals(meanOfDefined(prevalence), 3)} | 0.500 |
${rows.join('\n')}

"Prompts of another finding" is the control: the same model, the same prompts, but each finding is scored by the prompts of the
other five in turn. What it gains over chance needs no meaning of words: all six findings look unlike a normal chest, and an
image that looks abnormal scores high for any of them. What the right prompts add to that is
**${signed(gain.estimate)} ${span(gain.overPatients)}, seeds ${span(gain.overSeeds)}**.

The ceiling is the same network with class embeddings of its own, trained on the same images and ${labelledCount()} more on which the six
are labelled.

## By finding

| finding | prevalence | AP, by prompts | AP, trained with labels |
|---|---|---|---|
${perClass.join('\n')}

## Rules of scoring

Chosen without any label of the six: \`proxyUnseen\` judged each rule on ${proxies.length} of the 29 seen findings (every third by frequency:
${proxies.join(', ')}), by a model that was trained without their labels, on ${test.table.rows.length} test images. The last column, what each
rule then does for the six, played no part in the choice.

| rules | macro AP on the stand-ins | | macro AP on the six |
|---|---|---|---|
${ruleRows.join('\n')}

The plainest rule that is not shown to be worse than the best is chosen. [scoring.md](scoring.md) explains the rules.

## Seen and unseen together

By prompts alone, for all 36 findings: seen ones on the test images, unseen ones on theirs (means over seeds, intervals over seeds).

| | macro AP |
|---|---|
| seen | ${over(({ seen }) => seen)} |
| unseen | ${over(({ unseen }) => unseen)} |
| harmonic mean | ${over(({ harmonicMean }) => harmonicMean)} |

## What this does not show

- Phantoms are far simpler than radiographs, and their six unseen findings were drawn by the same program as the 30 seen ones.
- One architecture, one size, one set of prompts, one data set. The encoder of words knows no language beyond 360 prompts; a CLIP's
  text tower, or one trained on reports, may do much better, or worse.
- No images of patients were scored, and no public CLIP was run: its weights are not part of this repository.
`;
}

function labelledCount() {
  return samplePhantomCases(LABELLED).filter(({ split }) => split === 'zeroshot').length;
}

function judge() {
  const { all, embeddings, targets } = proxy.test;
  return proxyUnseen({
    images: embeddings,
    texts: proxy.texts,
    labels: targets,
    labelClasses: all.classes,
    unseen: OUT_OF_DISTRIBUTION,
    trained: proxy.training.classes,
    patients: shapeOf(proxy.test, all.classes).patients,
    candidates: defaultCandidates(proxy.texts, undefined),
    resamples: RESAMPLES,
  });
}

/** Estimates only: the seeds give the interval. */
function seenAndUnseen({ zeroshot: unseen, test: seen, texts }) {
  const classNames = [...IN_DISTRIBUTION, ...OUT_OF_DISTRIBUTION];
  const parts = [seen, unseen];
  const n = parts.reduce((sum, { all }) => sum + all.length, 0);
  const [scores, targets] = [new Float64Array(n * 36), new Float64Array(n * 36).fill(Number.NaN)];
  let row = 0;
  for (const { all, embeddings, targets: own } of parts) {
    const part = scoreZeroShot({ images: embeddings, texts, classes: classNames, rules: ['mean'] }).scores;
    scores.set(part, row * 36);
    for (let i = 0; i < all.length; i++) {
      for (const [c, name] of all.classes.entries()) {
        targets[(row + i) * 36 + classNames.indexOf(name)] = own[i * all.classes.length + c];
      }
    }
    row += all.length;
  }
  const split = { seen: IN_DISTRIBUTION, unseen: OUT_OF_DISTRIBUTION };
  const { mAP } = evaluateGeneralised(scores, targets, {
    n,
    classes: 36,
    classNames,
    ...split,
    resamples: 100,
  });
  return Object.fromEntries(Object.entries(mAP).map(([name, { estimate }]) => [name, estimate]));
}

function meanOver(values) {
  const overSeeds = meanInterval(values, LEVEL);
  return { estimate: overSeeds.mean, overSeeds };
}

function both({ estimate, overPatients, overSeeds }) {
  const patients = overPatients ? ` ${span(overPatients)}, seeds` : '';
  return `${decimals(estimate, 3)}${patients} ${span(overSeeds)}`;
}

function span({ low, high }) {
  return `[${decimals(low, 3)}, ${decimals(high, 3)}]`;
}
