import { link, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DataPart, resolveDataSource } from '../../src/data/tables/data-source.js';
import { patientsOf } from '../../src/data/tables/split.js';
import { countLabels } from '../../src/data/tables/table.js';
import { Random } from '../../src/engine/random.js';
import { formatPredictions, type Prediction } from '../../src/predict/predictions.js';
import { macroScores, scoreDataset } from '../../src/predict/scores.js';
import { formatRecipe, parseRecipe } from '../../src/recipe/recipe.js';
import { dataSourceOptions } from '../../src/recipe/recipe-data.js';
import type { Recipe } from '../../src/recipe/recipe-schema.js';
import type { RunSummary } from '../../src/train/run/finish-run.js';
import type { MetricsLine } from '../../src/train/run/metrics-line.js';
import { modelOf } from '../../src/train/step/trainer.js';
import { encodeCheckpoint } from '../../src/weights/checkpoint.js';
import { png16 } from '../data/images/pictures.js';

/** Run directories as training leaves them, with scores drawn at random instead of computed: quick, and all known. */

/** Name of a class without positives. */
export const NEVER = 'never';

export interface MadeUpDataset {
  readonly classes: readonly string[];
  readonly images?: number;
  /** Share of test patients; 0 writes no test.csv. */
  readonly test?: number;
  /** Classes from one to half as common a one; 1 when absent. */
  readonly halving?: number;
  /** As many different pictures of that size, smooth and noisy as radiographs are; absent: small noise, each its own. */
  readonly pictures?: { readonly different: number; readonly size: number };
  /** Of a picture's file; its number when absent. */
  readonly nameOf?: (i: number) => string;
}

/**
 * A folder with train.csv, perhaps test.csv, and pictures; class c is present with probability 0.5 / 2^c (unless it halves
 * more slowly), NEVER never.
 */
export async function writeDataset(
  folder: string,
  { classes, images = 240, test = 0.4, halving = 1, pictures, nameOf = String }: MadeUpDataset,
): Promise<string> {
  await mkdir(join(folder, 'images'), { recursive: true });
  const rows = { train: [] as string[], test: [] as string[] };
  for (let i = 0; i < images; i++) {
    const random = new Random(5, 'made-up image', i);
    const file = join(folder, 'images', `${nameOf(i)}.png`);
    if (pictures === undefined) {
      const pixels = Uint16Array.from({ length: 64 }, () => random.int(65536));
      await writeFile(file, await png16(pixels, 8, 8));
    } else if (i < pictures.different) await writeFile(file, await radiographLike(i, pictures.size));
    else await link(join(folder, 'images', `${nameOf(i % pictures.different)}.png`), file);
    const labels = classes.map((name, c) =>
      random.chance(0.02) ? '' : Number(name !== NEVER && random.chance(0.5 / 2 ** (c / halving))),
    );
    const patient = i >> 1;
    const part = new Random(5, 'made-up patient', patient).chance(test) ? 'test' : 'train';
    rows[part].push([`${nameOf(i)}.png`, `p${patient}`, ...labels].join(','));
  }
  const header = ['ImageID', 'PatientID', ...classes.map((name) => `"${name.replaceAll('"', '""')}"`)].join(
    ',',
  );
  for (const [name, lines] of Object.entries(rows)) {
    if (lines.length > 0) await writeFile(join(folder, `${name}.csv`), `${[header, ...lines].join('\n')}\n`);
  }
  return folder;
}

/** Two dark fields in a bright one, under the noise of a detector: no radiograph, but as hard to compress. */
async function radiographLike(seed: number, size: number): Promise<Buffer> {
  const random = new Random(seed, 'made-up radiograph');
  const pixels = Uint16Array.from({ length: size * size }, (_, i) => {
    const [y, x] = [Math.floor(i / size) / size - 0.5, (i % size) / size - 0.5];
    const lung = Math.exp(-(((Math.abs(x) - 0.2) / 0.12) ** 2) - (y / 0.3) ** 2);
    const rib = Math.sin(60 * (y + 0.6 * x * x) + seed) * 0.05;
    const bright = 0.75 - 0.5 * lung + rib - 0.6 * Math.max(0, Math.abs(x) - 0.4);
    return Math.max(0, Math.min(65535, Math.round(65535 * (bright + 0.02 * random.normal()))));
  });
  return png16(pixels, size, size);
}

export interface MadeUpRun {
  readonly data: string;
  readonly overrides?: readonly string[];
  /** How well positives are told from negatives, in standard deviations. */
  readonly skill?: number;
  readonly seed?: number;
  /** Identifiers to be taken as unreadable. */
  readonly unreadable?: readonly string[];
  /** As of the data set. */
  readonly halving?: number;
}

const STEPS_PER_EPOCH = 6;
const BEST_EPOCH = 4;

/** Writes a finished run of 5 epochs. @returns the run directory */
export async function writeRun(folder: string, options: MadeUpRun): Promise<string> {
  const { data, overrides = [], skill = 1.5, seed = 0, unreadable = [], halving = 1 } = options;
  await mkdir(folder, { recursive: true });
  const recipe = parseRecipe(RECIPE, {
    path: 'made-up.yaml',
    overrides: [`data.path=${JSON.stringify(data)}`, `seed=${seed}`, ...overrides],
  });
  const source = await resolveDataSource(data, dataSourceOptions(recipe.data));
  const { positives, known } = countLabels(source.train.table, source.train.indices);
  const rows: Prediction[] = [];
  const scored = (part: DataPart | null, split: string) => {
    if (part === null) return { scores: null, leftOut: [] };
    const predicted = predictRandomly(part, { split, seed, skill, unreadable, halving });
    rows.push(...predicted.map(({ row }) => row));
    const readable = predicted.filter(({ row }) => row.probabilities !== null);
    const summary = scoreDataset(
      Float32Array.from(readable.flatMap(({ row }) => Array.from(row.probabilities ?? []))),
      Float32Array.from(readable.flatMap(({ labels }) => [...labels])),
      source.classes,
    );
    return { scores: macroScores(summary), leftOut: summary.leftOut };
  };
  const validation = scored(source.validation, 'validation');
  const test = scored(source.test, 'test');
  const best = {
    epoch: BEST_EPOCH,
    mAP: validation.scores?.mAP ?? null,
    auroc: validation.scores?.auroc ?? null,
  };
  const describe = (part: DataPart) => ({
    images: part.indices.length,
    patients: patientsOf(part.table, part.indices).size,
    unreadable: Array.from(part.indices, (i) => part.table.rows[i]?.image ?? '').filter((image) =>
      unreadable.includes(image),
    ).length,
  });
  const summary: RunSummary = {
    status: 'finished',
    seed,
    model: recipe.model,
    loss: recipe.loss,
    classes: source.classes,
    data: {
      train: describe(source.train),
      validation: describe(source.validation),
      test: source.test && describe(source.test),
    },
    epochs: recipe.schedule.epochs,
    steps: recipe.schedule.epochs * STEPS_PER_EPOCH,
    best,
    validation: validation.scores,
    test: test.scores,
    leftOut: { validation: validation.leftOut, test: test.leftOut },
    adapter: 'llvmpipe (made up)',
    peakBytes: 48 * 2 ** 20,
    tailray: '0.0.0-test',
  };
  const checkpoint = await encodeCheckpoint({
    tensors: new Map([['fc.bias', { dtype: 'F32', shape: [1], data: new Float32Array(1) }]]),
    model: modelOf(recipe, source.classes.length).config,
    classes: [...source.classes],
    preprocessing: recipe.preprocessing,
    weights: 'average',
    epoch: best.epoch,
    step: best.epoch * STEPS_PER_EPOCH,
    metrics: { mAP: best.mAP, auroc: best.auroc },
    prevalence: Array.from(positives, (count, c) => count / (known[c] ?? 1)),
    recipe: {},
    tailray: summary.tailray,
  });
  const files: Record<string, string | Uint8Array> = {
    'recipe.yaml': formatRecipe(recipe),
    'summary.json': `${JSON.stringify(summary, null, 2)}\n`,
    'metrics.jsonl': metricsLines(recipe, validation.scores)
      .map((line) => `${JSON.stringify(line)}\n`)
      .join(''),
    'predictions.csv': formatPredictions({ classes: source.classes, rows }),
    'best.safetensors': checkpoint,
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return folder;
}

const RECIPE = `
preprocessing: {size: [32, 32]}
model: {arch: resnet10, stem: small-stride2, width: 8}
data: {validationFraction: 0.3}
schedule: {epochs: 5, warmupEpochs: 1}
batchSize: 16
logEvery: 1
`;

/** Logits of common classes are high, those of present findings higher. */
function predictRandomly(
  part: DataPart,
  {
    split,
    seed,
    skill,
    unreadable,
    halving,
  }: { split: string; seed: number; skill: number; unreadable: readonly string[]; halving: number },
): { row: Prediction; labels: Float32Array }[] {
  const width = part.table.classes.length;
  return Array.from(part.indices, (index) => {
    const image = part.table.rows[index]?.image ?? '';
    const labels = part.table.labels.slice(index * width, (index + 1) * width);
    if (unreadable.includes(image)) {
      return { row: { image, probabilities: null, split, note: 'truncated: the file ends early' }, labels };
    }
    const random = new Random(seed, 'made-up score', image);
    const probabilities = Float32Array.from(labels, (label, c) => {
      const logit = -0.7 - (0.6 * c) / halving + (label === 1 ? skill : 0) + random.normal();
      return 1 / (1 + Math.exp(-logit));
    });
    return { row: { image, probabilities, split, note: '' }, labels };
  });
}

function metricsLines(
  { schedule, optimizer }: Recipe,
  final: Readonly<Record<string, number | null>> | null,
): MetricsLine[] {
  const random = new Random(2, 'made-up metrics');
  const lines: MetricsLine[] = [];
  for (let epoch = 1; epoch <= schedule.epochs; epoch++) {
    for (let i = 1; i <= STEPS_PER_EPOCH; i++) {
      const step = (epoch - 1) * STEPS_PER_EPOCH + i;
      lines.push({
        kind: 'step',
        step,
        epoch,
        loss: 0.7 * Math.exp(-step / 30) + 0.1 + 0.03 * random.uniform(),
        gradientNorm: Math.exp(random.normal(-0.3, 0.5)),
        learningRate:
          optimizer.lr *
          Math.min(1, step / STEPS_PER_EPOCH) *
          (1 - step / (STEPS_PER_EPOCH * schedule.epochs + 1)),
      });
    }
    const share = epoch <= BEST_EPOCH ? epoch / BEST_EPOCH : 0.97;
    lines.push({
      kind: 'epoch',
      epoch,
      step: epoch * STEPS_PER_EPOCH,
      loss: 0.7 * Math.exp(-epoch / 5) + 0.1,
      validation: {
        ...final,
        mAP: (final?.mAP ?? 0) * share,
        auroc: 0.5 + ((final?.auroc ?? 0.5) - 0.5) * share,
      },
      best: epoch <= BEST_EPOCH,
      seconds: 12.5,
    });
  }
  return lines;
}
