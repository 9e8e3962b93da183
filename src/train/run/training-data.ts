import type { PictureCache } from '../../data/cache/picture-cache.js';
import { type Dataset, openDataset } from '../../data/dataset.js';
import { ImageStore } from '../../data/images/image-store.js';
import { type AcceptedDamage, type Quarantined, scanImages } from '../../data/images/scan.js';
import { areSimulated } from '../../data/images/simulated.js';
import { type DataPart, type DataSource, resolveDataSource } from '../../data/tables/data-source.js';
import { patientsOf } from '../../data/tables/split.js';
import { countLabels } from '../../data/tables/table.js';
import { TailrayError } from '../../engine/errors.js';
import { dataSourceOptions } from '../../recipe/recipe-data.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { sha256 } from '../../storage/content-digest.js';

/**
 * From a recipe's data section to pictures that are known to be readable, before anything is written: whatever is
 * wrong with the data is said here, and not in the third epoch.
 */

/** Data that can be read but not trained on. */
export class TrainingDataError extends TailrayError {}

/** One part of the split, looked at picture by picture. */
export interface ExaminedPart {
  /** Every row, unreadable pictures too. */
  readonly all: Dataset;
  /** Those to train on or to predict. */
  readonly readable: Dataset;
  /** Positions in `all`. */
  readonly quarantined: readonly Quarantined[];
  /** Damaged pictures among the readable ones. */
  readonly accepted: readonly AcceptedDamage[];
  readonly patients: number;
}

export interface TrainingData {
  /** Of the table or folder that was read. */
  readonly path: string;
  readonly classes: readonly string[];
  readonly train: ExaminedPart;
  /** Null where nothing is held out. */
  readonly validation: ExaminedPart | null;
  readonly test: ExaminedPart | null;
  /** Of the readable training pictures. */
  readonly samples: number;
  /** [classes], of the same: positive labels, and labels known at all. */
  readonly positives: readonly number[];
  readonly known: readonly number[];
  /** Whether the pictures were drawn by a program. */
  readonly simulated: boolean;
  /** What was found, a sentence each. */
  readonly notes: readonly string[];
  /** Fingerprint of all identifiers and labels in use: a resumed run must see the same. */
  readonly digest: string;
}

export interface ExamineOptions {
  /** Refuse data with unreadable pictures. */
  readonly strict?: boolean;
  /** Keeps prepared pictures for later starts. */
  readonly pictures?: PictureCache | undefined;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Reads the tables of `path`, splits them as the recipe says, and decodes every picture once.
 * @throws TableError, SplitError, QuarantineError (strict), TrainingDataError
 */
export async function examineTrainingData(
  path: string,
  recipe: Pick<Recipe, 'data' | 'preprocessing'>,
  { strict = false, pictures, onProgress }: ExamineOptions = {},
): Promise<TrainingData> {
  const source = await resolveDataSource(path, dataSourceOptions(recipe.data));
  const { positives: given } = countLabels(source.train.table, source.train.indices);
  if (source.classes.length === 0 || given.every((count) => count === 0)) {
    throw new TrainingDataError(`${path}: no class has a positive label to train on.`);
  }
  const store = new ImageStore({
    root: source.imageRoot,
    preprocessing: recipe.preprocessing,
    cacheBytes: recipe.data.cacheMiB * 2 ** 20,
    cache: pictures,
    lenient: recipe.data.lenient ?? false,
  });
  const progress = new Total(source, onProgress);
  const examine = (part: DataPart) => examinePart(part, store, strict, progress.next());
  const train = await examine(source.train);
  const validation = source.validation.indices.length > 0 ? await examine(source.validation) : null;
  const test = source.test === null ? null : await examine(source.test);
  const { positives, known } = countLabels(train.readable.table, train.readable.indices);
  return {
    path,
    classes: source.classes,
    train,
    validation,
    test,
    samples: train.readable.length,
    positives: [...positives],
    known: [...known],
    simulated: await areSimulated(path),
    notes: source.notes,
    digest: await fingerprint({ train, validation, test }),
  };
}

export async function examinePart(
  part: DataPart,
  store: ImageStore,
  strict: boolean,
  onProgress: (done: number) => void,
): Promise<ExaminedPart> {
  const all = openDataset({ ...part, store });
  const { readable, quarantined, accepted } = await scanImages(all, { strict, onProgress });
  return {
    all,
    readable: all.subset(readable),
    quarantined,
    accepted,
    patients: patientsOf(part.table, part.indices).size,
  };
}

/** Progress over all parts as one count. */
class Total {
  readonly #total: number;
  #before = 0;
  #part = 0;

  constructor(
    source: DataSource,
    readonly onProgress: ExamineOptions['onProgress'],
  ) {
    this.#total = [source.train, source.validation, source.test].reduce(
      (sum, part) => sum + (part?.indices.length ?? 0),
      0,
    );
  }

  next(): (done: number) => void {
    this.#before += this.#part;
    this.#part = 0;
    return (done) => {
      this.#part = done;
      this.onProgress?.(this.#before + done, this.#total);
    };
  }
}

async function fingerprint(parts: Record<string, ExaminedPart | null>): Promise<string> {
  const lines: string[] = [];
  for (const [name, part] of Object.entries(parts)) {
    if (part === null) continue;
    lines.push(name, part.readable.classes.join('\t'));
    for (let i = 0; i < part.readable.length; i++) {
      lines.push(`${part.readable.row(i).image}\t${part.readable.labels(i).join('\t')}`);
    }
  }
  return sha256(lines.join('\n'));
}
