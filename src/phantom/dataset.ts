/**
 * A phantom data set on disk, in the challenge's own form: 16-bit PNG images and the CSV files of METHOD.md §2. It is
 * built in a directory beside its place and renamed when complete, so a name never holds half a data set.
 */
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { encodeGreyPng } from '../data/images/encode-png.js';
import { csvText } from '../data/tables/csv-text.js';
import {
  type Finding,
  type FrequencyGroup,
  frequencyGroup,
  IN_DISTRIBUTION,
  OUT_OF_DISTRIBUTION,
} from '../data/tables/findings.js';
import { readRegularText } from '../storage/regular-file.js';
import {
  type CaseOptions,
  type PhantomCase,
  resolveCaseOptions,
  type Split,
  samplePhantomCases,
} from './cases.js';
import { checkPhantomSize, drawPhantom, drawPhantomWithMasks } from './draw.js';
import { PhantomWriteError } from './errors.js';
import type { Label } from './labels.js';

/** Raised whenever the same seed would give other pictures or labels than before. */
export const GENERATOR_VERSION = 1;

const NOTICE =
  'SIMULATED images of no real person, drawn by a computer program. Not medical data; never for clinical use.';
const ID_COLUMNS = ['ImageID', 'StudyDate_DICOM', 'PatientID'];
export const DESCRIPTION_FILE = 'dataset.json';
/** Images in flight: drawing is one thread's work, writing overlaps it. */
const PENDING_WRITES = 16;

export interface DatasetOptions extends CaseOptions {
  /** Directory to make. */
  readonly out: string;
  /** Pixels a side. */
  readonly size: number;
  /** Whether masks of the focal findings are written beside the images. Default false. */
  readonly masks?: boolean;
  /** Replace an older phantom data set in `out`. */
  readonly force?: boolean;
  /** Stops the work; nothing is left behind and the returned promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface ClassSummary {
  readonly name: Finding;
  readonly train: number;
  readonly test: number;
  readonly group: FrequencyGroup;
}

export interface DatasetSummary {
  /** Absolute path. */
  readonly out: string;
  readonly images: Record<Split, number>;
  /** Positives a class; the group follows from the prevalence in training. */
  readonly classes: readonly ClassSummary[];
}

/**
 * Draws and writes a data set: `images/`, `train.csv`; where images are held out, `test.csv` and `evaluation.csv` (the same
 * without labels); `truth.csv` (training labels without noise and blanks, where there are any), with `ood` also `zeroshot.csv` and
 * `zeroshot_evaluation.csv`, with `masks` also `masks/<finding>/<image>` of 0 and 255, and `dataset.json`.
 *
 * @param onProgress called after each image with how many are done, of how many
 * @throws PhantomOptionsError before anything is written; PhantomWriteError when the place is taken or the disk full
 */
export async function writePhantomDataset(
  options: DatasetOptions,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<DatasetSummary> {
  const out = resolve(options.out);
  checkPhantomSize(options.size);
  const resolved = resolveCaseOptions(withoutPlace(options));
  await refuseToOverwrite(out, options.force ?? false);
  const cases = samplePhantomCases(resolved);
  const summary = { out, ...summarize(cases) };
  const building = join(dirname(out), `.${basename(out)}.building-${process.pid}`);
  const progress = { done: 0 };
  try {
    await rm(building, { recursive: true, force: true });
    await mkdir(join(building, 'images'), { recursive: true });
    await writeImages(cases, options, building, (done) => {
      progress.done = done;
      onProgress(done, cases.length);
    });
    await writeTables(cases, building, resolved.labelNoise > 0 || resolved.unknown > 0);
    await writeFile(join(building, DESCRIPTION_FILE), describe(options, resolved, summary));
    await moveIntoPlace(building, out);
  } catch (error) {
    await rm(building, { recursive: true, force: true });
    throw explainWriteError(error, out, progress.done, cases.length);
  }
  return summary;
}

/** Turns a file system's error into one that says what to do; others pass through unchanged. */
export function explainWriteError(error: unknown, out: string, done: number, total: number): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  const where = `${out}, after ${done} of ${total} images`;
  const kept = 'Nothing was left behind.';
  const options = { cause: error };
  switch (error.code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new PhantomWriteError(
        `the disk is full: cannot write ${where}. Free some space. ${kept}`,
        options,
      );
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new PhantomWriteError(
        `no permission to write ${where}. Choose another directory. ${kept}`,
        options,
      );
    case 'ENOTDIR':
    case 'EEXIST':
    case 'ENOTEMPTY':
      return new PhantomWriteError(
        `${out} or a directory above it is taken by something else. ${kept}`,
        options,
      );
    default:
      return new PhantomWriteError(`cannot write ${where}: ${error.message}. ${kept}`, options);
  }
}

function withoutPlace(options: DatasetOptions): CaseOptions {
  const { out: _out, size: _size, masks: _masks, force: _force, signal: _signal, ...cases } = options;
  return cases;
}

/** An empty place is free, an older phantom set may be replaced on request, anything else is never touched. */
async function refuseToOverwrite(out: string, force: boolean): Promise<void> {
  let entries: string[];
  try {
    entries = await readdir(out);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
    throw explainWriteError(error, out, 0, 0);
  }
  if (entries.length === 0) return;
  if (!force) {
    throw new PhantomWriteError(
      `${out} is not empty. Choose another directory, or give --force to replace it.`,
    );
  }
  const description = await readRegularText(join(out, DESCRIPTION_FILE)).catch(() => '');
  if (!description.includes(NOTICE)) {
    throw new PhantomWriteError(
      `${out} holds something else than a phantom data set, so --force does not replace it. Choose another directory.`,
    );
  }
}

async function writeImages(
  cases: readonly PhantomCase[],
  options: DatasetOptions,
  directory: string,
  onImage: (done: number) => void,
): Promise<void> {
  const pending = new Set<Promise<void>>();
  let done = 0;
  try {
    for (const one of cases) {
      options.signal?.throwIfAborted();
      const files = drawFiles(one, options);
      const write: Promise<void> = writeFiles(directory, files).then(() => {
        pending.delete(write);
        onImage(++done);
      });
      pending.add(write);
      // also lets signals and the progress bar have their turn
      if (pending.size >= PENDING_WRITES) await Promise.race(pending);
    }
    await Promise.all(pending);
  } catch (error) {
    await Promise.allSettled(pending);
    throw error;
  }
}

/** The files of an image by their path in the data set: the picture, and its masks where they are wanted. */
function drawFiles(
  one: PhantomCase,
  { size, masks: wanted = false }: DatasetOptions,
): [path: string, bytes: Uint8Array][] {
  const picture = (pixels: Uint8Array | Uint16Array) => encodeGreyPng(pixels, size, size);
  if (!wanted) return [[join('images', one.imageId), picture(drawPhantom({ ...one, size }).pixels)]];
  const { pixels, masks } = drawPhantomWithMasks({ ...one, size });
  const masked = Array.from(masks, ([finding, inside]): [string, Uint8Array] => [
    join('masks', finding, one.imageId),
    picture(inside.map((value) => 255 * value)),
  ]);
  return [[join('images', one.imageId), picture(pixels)], ...masked];
}

async function writeFiles(
  directory: string,
  files: readonly (readonly [path: string, bytes: Uint8Array])[],
): Promise<void> {
  await Promise.all(
    files.map(async ([path, bytes]) => {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), bytes);
    }),
  );
}

async function writeTables(cases: readonly PhantomCase[], directory: string, flawed: boolean): Promise<void> {
  const of = (split: Split) => cases.filter((one) => one.split === split);
  const save = (name: string, text: string) => writeFile(join(directory, name), text);
  const recorded = (one: PhantomCase) => one.labels;
  await save('train.csv', table(of('train'), IN_DISTRIBUTION, recorded));
  const test = of('test');
  if (test.length > 0) {
    await save('test.csv', table(test, IN_DISTRIBUTION, recorded));
    await save('evaluation.csv', table(test, IN_DISTRIBUTION, blank));
  }
  if (flawed) {
    await save(
      'truth.csv',
      table(of('train'), IN_DISTRIBUTION, (one) => truth(one, IN_DISTRIBUTION)),
    );
  }
  const unseen = of('zeroshot');
  if (unseen.length === 0) return;
  await save(
    'zeroshot.csv',
    table(unseen, OUT_OF_DISTRIBUTION, (one) => truth(one, OUT_OF_DISTRIBUTION)),
  );
  await save('zeroshot_evaluation.csv', table(unseen, OUT_OF_DISTRIBUTION, blank));
}

function truth(one: PhantomCase, names: readonly Finding[]): Label[] {
  return names.map((name) => (one.findings.includes(name) ? 1 : 0));
}

function blank(): Label[] {
  return [];
}

function table(
  cases: readonly PhantomCase[],
  names: readonly Finding[],
  labels: (one: PhantomCase) => readonly Label[],
): string {
  const rows = cases.map((one) => {
    const cells = labels(one);
    const row = names.map((_, column) => String(cells[column] ?? ''));
    return [one.imageId, one.studyDate, one.patientId, ...row];
  });
  return csvText([[...ID_COLUMNS, ...names], ...rows]);
}

function summarize(cases: readonly PhantomCase[]): Omit<DatasetSummary, 'out'> {
  const images = { train: 0, test: 0, zeroshot: 0 };
  for (const one of cases) images[one.split]++;
  const positives = (name: Finding, split: Split) =>
    cases.filter((one) => one.split === split && one.findings.includes(name)).length;
  const classes = IN_DISTRIBUTION.map((name): ClassSummary => {
    const train = positives(name, 'train');
    const group = frequencyGroup(train / Math.max(1, images.train));
    return { name, train, test: positives(name, 'test'), group };
  });
  return { images, classes };
}

function describe(
  { size, masks = false }: DatasetOptions,
  options: CaseOptions,
  summary: DatasetSummary,
): string {
  const { images, classes } = summary;
  const description = {
    notice: NOTICE,
    generator: 'tailray synth',
    generatorVersion: GENERATOR_VERSION,
    options: { size, ...options },
    pixels: '16-bit greyscale, MONOCHROME2 (dense is bright)',
    ...(masks && { masks: 'of focal findings: 255 where drawing the finding changes what is absorbed' }),
    images,
    classes,
  };
  return `${JSON.stringify(description, null, 2)}\n`;
}

/** Renaming is the moment at which the data set exists; an older one is moved away first and removed after. */
async function moveIntoPlace(building: string, out: string): Promise<void> {
  const old = join(dirname(out), `.${basename(out)}.old-${process.pid}`);
  const replaced = await rename(out, old).then(
    () => true,
    () => false,
  );
  try {
    await rename(building, out);
  } catch (error) {
    if (replaced) await rename(old, out);
    throw error;
  }
  if (replaced) await rm(old, { recursive: true, force: true });
}
