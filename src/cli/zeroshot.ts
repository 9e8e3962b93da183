#!/usr/bin/env node
/** `zeroshot`: scores for findings that nobody labelled, the choice of their rules, embeddings, search. */
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { describeQuarantine } from '../data/images/scan.js';
import { OUT_OF_DISTRIBUTION } from '../data/tables/findings.js';
import { readTable } from '../data/tables/table.js';
import { writeSafetensors } from '../models/safetensors/safetensors.js';
import { openDevice } from '../platform/node/open-device.js';
import { predictionRows } from '../predict/predict.js';
import { openPredictionSource, type PredictionSource } from '../predict/prediction-source.js';
import { requireFreeFile, writePredictions } from '../predict/predictions.js';
import { submissionText } from '../predict/submission.js';
import { parseYaml } from '../recipe/yaml-text.js';
import { writeAtomically } from '../storage/atomic-file.js';
import { cacheFolder } from '../storage/cache-folder.js';
import { readRegularText } from '../storage/regular-file.js';
import { counted, decimals } from '../text/numbers.js';
import { paddedTable } from '../text/padded-table.js';
import { type Clip, createClip } from '../zeroshot/clip.js';
import { ClipError } from '../zeroshot/clip-error.js';
import { clipPreprocessing, type EmbeddedImages, embedImages } from '../zeroshot/embed-images.js';
import { embedTexts } from '../zeroshot/embed-texts.js';
import { drawPictureSheet } from '../zeroshot/picture-sheet.js';
import { readPrompts } from '../zeroshot/prompts.js';
import { proxyUnseenRows } from '../zeroshot/proxy-table.js';
import { proxyUnseen } from '../zeroshot/proxy-unseen.js';
import type { RuleChoice } from '../zeroshot/scoring/rule.js';
import { scoreZeroShot } from '../zeroshot/scoring/score-zeroshot.js';
import { bindRules, describeRules } from '../zeroshot/scoring/scoring-rules.js';
import { embedPrompts, type TextEmbeddings } from '../zeroshot/scoring/text-embeddings.js';
import { searchImages } from '../zeroshot/search-images.js';
import { command, runCommand } from './command.js';
import { adapterOption, imagesOption } from './common-options.js';
import { addHubOption, type HubFlags, hubOptions } from './hub-option.js';
import { nonNegativeNumber, positiveNumber } from './number-option.js';
import { ProgressLine } from './training-display.js';

interface ClipFlags extends HubFlags {
  readonly images?: string;
  readonly tokenizer?: string;
  readonly batchSize: number;
  readonly adapter?: string;
  readonly strict?: boolean;
  readonly lenient?: boolean;
  readonly force?: boolean;
}

interface EmbedFlags extends ClipFlags {
  readonly out: string;
  readonly texts?: string;
}

interface PromptFlags extends ClipFlags {
  readonly prompts: string;
}

interface ScoreFlags extends PromptFlags {
  readonly classes: readonly string[];
  readonly rules: readonly RuleChoice[];
  readonly out: string;
  readonly submission?: string;
}

interface TuneFlags extends PromptFlags {
  readonly unseen: readonly string[];
  readonly resamples: number;
  readonly seed: number;
}

interface SearchFlags extends ClipFlags {
  readonly query: string;
  readonly top: number;
  readonly out: string;
}

/** Beside dist/, in a clone as in the package. */
const OUR_PROMPTS = fileURLToPath(new URL('../../prompts/cxrlt2026.yaml', import.meta.url));

const program = command('zeroshot');

promptCommand(
  'score',
  'score images for findings by prompts: predictions, and the challenge’s Task 2 submission',
)
  .argument('<data>', 'a CSV file that names images, or a folder of PNG and JPEG files')
  .option('--classes <names>', 'findings to score, with commas between', names, [...OUT_OF_DISTRIBUTION])
  .option(
    '--rules <list>',
    'how similarities become scores, e.g. "centred, {name: max}, sigmoid"; the last is sigmoid or softmax',
    ruleList,
    ruleList('mean, sigmoid'),
  )
  .option('--out <file>', 'where to write', 'predictions.csv')
  .option('--submission <file>', 'the same as a submission: a row for every image, no notes')
  .action(score);

promptCommand('tune', 'choose the rules on seen findings, held out in turn as if nobody had labelled them')
  .argument('<table>', 'a CSV file with labels of seen findings, and none of unseen ones')
  .option('--unseen <names>', 'findings that nobody labelled, with commas between', names, [
    ...OUT_OF_DISTRIBUTION,
  ])
  .option('--resamples <n>', 'bootstrap draws of patients behind each interval', positiveNumber, 1000)
  .option('--seed <n>', 'of the draws and of the held-out groups', nonNegativeNumber, 0)
  .action(tune);

clipCommand('embed', 'write the embeddings of images, or of the lines of a text file, as safetensors')
  .argument('[data]', 'a CSV file that names images, or a folder of PNG and JPEG files')
  .option('--texts <file>', 'a text in each line, instead of images')
  .option('--out <file>', 'where to write', 'embeddings.safetensors')
  .action(embed);

clipCommand('search', 'find the images most like a text, and draw them')
  .argument('<data>', 'a CSV file that names images, or a folder of PNG and JPEG files')
  .requiredOption('--query <text>', 'what to look for')
  .option('--top <n>', 'how many images', positiveNumber, 20)
  .option('--out <file>', 'where to draw them', 'search.png')
  .action(search);

function promptCommand(name: string, description: string): Command {
  return clipCommand(name, description).option(
    '--prompts <file>',
    'what findings look like, in words (YAML); see docs/zeroshot/README.md',
    OUR_PROMPTS,
  );
}

/** A subcommand with the options of all that run a CLIP. */
function clipCommand(name: string, description: string): Command {
  const own = program
    .command(name)
    .description(description)
    .argument(
      '<clip>',
      'a folder with config, weights and tokenizer; a file of weights beside them; or hf-hub:owner/name',
    )
    .addOption(imagesOption())
    .option('--tokenizer <path>', 'folder or file of the tokenizer, where none lies beside the weights')
    .option('--batch-size <n>', 'images or texts at once; does not change the results', positiveNumber, 8)
    .addOption(adapterOption())
    .option('--strict', 'refuse, and write nothing, if any image cannot be used')
    .option('--lenient', 'use damaged images as far as they decode')
    .option('--force', 'replace the file in --out')
    .option('--quiet', 'print nothing but errors');
  return addHubOption(own);
}

async function embed(model: string, data: string | undefined, flags: EmbedFlags): Promise<void> {
  if ((data === undefined) === (flags.texts === undefined)) {
    throw new ClipError('embed needs images or --texts, and not both.');
  }
  await prepareOut(flags);
  await withClip(model, flags, async (clip, progress) => {
    if (data === undefined) {
      const texts = (await readRegularText(flags.texts ?? '')).split(/\r?\n/).filter((line) => line !== '');
      const embeddings = await embedTexts(clip, texts, textCache());
      await write(flags.out, clip, embeddings, { texts: JSON.stringify(texts) });
      return `${texts.length} texts, ${clip.width} values each, in ${flags.out}`;
    }
    const source = await openPredictionSource(data, { images: flags.images, classes: [] });
    const embedded = await embeddedImages(clip, source, flags, progress);
    const names = Array.from(embedded.readable, (position) => embedded.all.row(position).image);
    await write(flags.out, clip, embedded.embeddings, { images: JSON.stringify(names) });
    return `${describeQuarantine(embedded.quarantined, embedded.all.length, embedded.accepted)}\n${names.length} images, ${clip.width} values each, in ${flags.out}`;
  });
}

async function score(model: string, data: string, flags: ScoreFlags): Promise<void> {
  for (const out of [flags.out, ...(flags.submission === undefined ? [] : [flags.submission])]) {
    await prepareOut({ ...flags, out });
  }
  const bound = bindRules(flags.rules);
  if (!PROBABILITIES.has(bound.at(-1)?.rule.name ?? '')) {
    throw new ClipError(
      `--rules: the last must be ${[...PROBABILITIES].join(' or ')}, for scores in 0 to 1.`,
    );
  }
  const prompts = await readPrompts(flags.prompts, { wanted: flags.classes });
  await withClip(model, flags, async (clip, progress) => {
    const source = await openPredictionSource(data, { images: flags.images, classes: [] });
    const embedded = await embeddedImages(clip, source, flags, progress);
    const texts = await embedPrompts(prompts, clip.width, (given) => embedTexts(clip, given, textCache()));
    const { classes } = flags;
    const { scores } = scoreZeroShot({ images: embedded.embeddings, texts, classes, rules: flags.rules });
    const rows = predictionRows(embedded, Float32Array.from(scores), classes.length);
    await writePredictions(flags.out, { classes, rows });
    const said = [
      describeQuarantine(embedded.quarantined, embedded.all.length, embedded.accepted),
      `rules      ${describeRules(bound)}`,
      `${counted(rows.length, 'row')} for ${classes.join(', ')} in ${flags.out}`,
    ];
    if (flags.submission !== undefined) {
      await writeAtomically(flags.submission, submissionText(classes, rows));
      const missing = rows.filter(({ probabilities }) => probabilities === null).length;
      said.push(
        `submission ${flags.submission}` +
          (missing > 0 ? `; ${missing} unreadable have each class's mean over the others` : ''),
      );
    }
    return said.join('\n');
  });
}

async function tune(model: string, data: string, flags: TuneFlags): Promise<void> {
  const table = await readTable(data);
  const prompts = await readPrompts(flags.prompts, { wanted: flags.unseen });
  await withClip(model, flags, async (clip, progress) => {
    const imageRoot = flags.images ?? dirname(data);
    const embedded = await embeddedImages(clip, { table, imageRoot }, flags, progress);
    const texts = await embedPrompts(prompts, clip.width, (given) => embedTexts(clip, given, textCache()));
    const result = judge(embedded, texts, flags);
    return [
      describeQuarantine(embedded.quarantined, embedded.all.length, embedded.accepted),
      `held out   ${result.classes.join(', ')}; in ${counted(result.folds.length, 'group')}`,
      ...result.leftOut.map(({ name, reason }) => `left out   ${name}: ${reason}`),
      ...paddedTable(proxyUnseenRows(result)),
      `chosen     ${result.chosen}: the plainest that is not shown to be worse than the best`,
    ].join('\n');
  });
}

function judge({ all, readable, embeddings }: EmbeddedImages, texts: TextEmbeddings, flags: TuneFlags) {
  const part = all.subset(readable);
  const labels = new Float32Array(part.length * part.classes.length);
  for (let i = 0; i < part.length; i++) labels.set(part.labels(i), i * part.classes.length);
  return proxyUnseen({
    images: embeddings,
    texts,
    labels,
    labelClasses: part.classes,
    unseen: flags.unseen,
    patients: Array.from({ length: part.length }, (_, i) => part.row(i).patient),
    resamples: flags.resamples,
    seed: flags.seed,
  });
}

/** Rules whose scores lie in 0 to 1. */
const PROBABILITIES: ReadonlySet<string> = new Set(['sigmoid', 'softmax', 'normal-gating']);

async function search(model: string, data: string, flags: SearchFlags): Promise<void> {
  await prepareOut(flags);
  await withClip(model, flags, async (clip, progress) => {
    const source = await openPredictionSource(data, { images: flags.images, classes: [] });
    const embedded = await embeddedImages(clip, source, flags, progress);
    const text = await embedTexts(clip, [flags.query], textCache());
    const found = searchImages(embedded.embeddings, text, flags.top);
    const pictures = found.map(({ position, cosine }, rank) => {
      const { image } = embedded.all.row(embedded.readable[position] ?? 0);
      return { image, cosine, caption: `${rank + 1}  ${decimals(cosine, 3)}  ${image}` };
    });
    const sheet = await drawPictureSheet(pictures, source.imageRoot, clipPreprocessing(clip.config));
    await writeAtomically(flags.out, sheet);
    const lines = pictures.map(({ image, cosine }) => `${decimals(cosine, 4)}  ${image}`);
    return `${describeQuarantine(embedded.quarantined, embedded.all.length, embedded.accepted)}\n${lines.join('\n')}\npictures   ${flags.out}`;
  });
}

async function embeddedImages(
  clip: Clip,
  source: PredictionSource,
  flags: ClipFlags,
  progress: ProgressLine,
): Promise<EmbeddedImages> {
  const embedded = await embedImages(clip, source, {
    batchSize: flags.batchSize,
    strict: flags.strict,
    lenient: flags.lenient,
    onRead: (done, total) => progress.show('reading', done, total, () => 'images'),
    onEmbedded: (done, total) => progress.show('embedding', done, total, () => 'images'),
  });
  progress.stop();
  return embedded;
}

/** Opens the CLIP, runs `work`, prints the text that it returns, and gives everything back. */
async function withClip(
  model: string,
  flags: ClipFlags,
  work: (clip: Clip, progress: ProgressLine) => Promise<string>,
): Promise<void> {
  const say = (text: string) => {
    if (!flags.quiet) process.stdout.write(`${text}\n`);
  };
  const progress = new ProgressLine(flags.quiet ?? false);
  const device = await openDevice({ adapter: flags.adapter });
  try {
    const clip = await createClip(device, {
      weights: model,
      batchSize: flags.batchSize,
      hub: hubOptions(flags, progress),
      ...(flags.tokenizer !== undefined && { tokenizer: flags.tokenizer }),
    });
    progress.stop();
    for (const note of clip.notes) say(note);
    say(await work(clip, progress));
    await clip.destroy();
  } finally {
    progress.stop();
    device.close();
  }
}

function textCache(): string {
  return join(cacheFolder(), 'text-embeddings');
}

async function prepareOut({ out, force }: { readonly out: string; readonly force?: boolean }): Promise<void> {
  if (!force) await requireFreeFile(out);
  const folder = await stat(out).catch(() => undefined);
  if (folder?.isDirectory()) throw new ClipError(`${out}: is a folder; --out names a file.`);
}

async function write(
  out: string,
  clip: Clip,
  embeddings: Float32Array,
  metadata: Record<string, string>,
): Promise<void> {
  const shape = [embeddings.length / clip.width, clip.width];
  const tensor = { dtype: 'F32', shape, data: embeddings as Float32Array<ArrayBuffer> } as const;
  await writeAtomically(out, writeSafetensors(new Map([['embeddings', tensor]]), metadata));
}

function names(text: string): string[] {
  return text.split(',').map((name) => name.trim());
}

function ruleList(text: string): RuleChoice[] {
  const { value } = parseYaml(`[${text}]`, '--rules');
  const parsed = z.array(z.union([z.string(), z.looseObject({ name: z.string() })])).safeParse(value);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError('A rule is a name, or {name: …} with its parameters.');
}

await runCommand(program);
