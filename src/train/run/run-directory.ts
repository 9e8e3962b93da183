import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { TailrayError } from '../../engine/errors.js';
import { isLossFile, type LossFile, readLossFile } from '../../recipe/loss-file.js';
import { formatRecipe, parseRecipe } from '../../recipe/recipe.js';
import { keptIn } from '../../recipe/recipe-paths.js';
import type { Recipe } from '../../recipe/recipe-schema.js';
import { withoutInheritedPlaces } from '../../recipe/recipe-stages.js';
import { type FileSystem, nodeFiles, storageError, writeAtomically } from '../../storage/atomic-file.js';
import { type TextTable, writeTextTable } from '../../zeroshot/texts/text-table.js';
import { MetricsLog } from './metrics-log.js';
import { RunDirectoryError } from './run-directory-error.js';
import { lockHolder, lockRun } from './run-lock.js';
import { SavedState } from './saved-state.js';

/** All that lies in a run's folder under a fixed name, files and folders. */
export const NAMES = {
  recipe: 'recipe.yaml',
  metrics: 'metrics.jsonl',
  summary: 'summary.json',
  best: 'best.safetensors',
  adapters: 'best.adapters.safetensors',
  kept: 'kept',
  last: 'last',
  predictions: 'predictions.csv',
  report: 'report.html',
  tensorboard: 'tensorboard',
  card: 'model-card.md',
  prompts: 'prompts.yaml',
  texts: 'texts.safetensors',
  dashboard: '.dashboard.json',
} as const;

export const LOCK = '.lock';

/** The copy of a loss of one's own: `loss` with the file's extension. */
export const LOSS_COPY = /^loss\.[cm]?[jt]s$/;

/** What a run takes from files beside its recipe. */
export interface RunSources {
  readonly lossFile?: Pick<LossFile, 'path' | 'source'> | undefined;
  /** The text of a file of prompts. */
  readonly prompts?: string | undefined;
  readonly texts?: TextTable | undefined;
}

/** What a run leaves behind, in one folder; see NAMES and src/train/run-files.ts for what lies there. */
export class RunDirectory {
  readonly path: string;
  readonly files: FileSystem;
  readonly saved: SavedState;
  readonly metrics: MetricsLog;
  #locked = false;

  constructor(path: string, files: FileSystem = nodeFiles) {
    this.path = path;
    this.files = files;
    this.saved = new SavedState(join(path, NAMES.last), files);
    this.metrics = new MetricsLog(join(path, NAMES.metrics), files);
  }

  get best(): string {
    return join(this.path, NAMES.best);
  }

  /** The LoRA adapters in the best weights, where they were trained with such. */
  get adapters(): string {
    return join(this.path, NAMES.adapters);
  }

  /** Folder with the weights of the best epochs, where several are kept; see kept-checkpoints.ts. */
  get keptFolder(): string {
    return join(this.path, NAMES.kept);
  }

  get card(): string {
    return join(this.path, NAMES.card);
  }

  /** Folder with a file for each session, where the run was to write them. */
  get tensorboard(): string {
    return join(this.path, NAMES.tensorboard);
  }

  get predictions(): string {
    return join(this.path, NAMES.predictions);
  }

  /** The copy of a zero-shot run's prompts. */
  get promptCopy(): string {
    return join(this.path, NAMES.prompts);
  }

  /** Embeddings of all prompts, where a frozen encoder made them. */
  get texts(): string {
    return join(this.path, NAMES.texts);
  }

  /** Which of a run's files are there already; empty when the folder is free or missing. @throws RunDirectoryError */
  async traces(): Promise<string[]> {
    const kind = await stat(this.path).catch(() => null);
    if (kind === null) return [];
    if (!kind.isDirectory()) throw new RunDirectoryError(`${this.path} is a file: choose another --out.`);
    const there = new Set(await readdir(this.path));
    return [
      ...Object.values(NAMES).filter((name) => there.has(name)),
      ...[...there].filter((name) => LOSS_COPY.test(name)),
    ];
  }

  /** @throws RunDirectoryError when a run lies there already; writes nothing */
  async requireFree(): Promise<void> {
    const traces = await this.traces();
    if (traces.length === 0) return;
    throw new RunDirectoryError(
      `${this.path} holds a run already (${traces.join(', ')}). ` +
        'Continue it with --resume, replace it with --force, or choose another --out.',
    );
  }

  /**
   * Makes the folder and claims it for this process; nothing more where this object holds it already.
   * @returns what releases it @throws RunDirectoryError
   */
  async lock(): Promise<() => Promise<void>> {
    if (this.#locked) return async () => {};
    const release = await lockRun(this.#lockPath);
    this.#locked = true;
    return () => {
      this.#locked = false;
      return release();
    };
  }

  /** The process that writes the run now, as `process 12 on host`; null where none does. */
  writer(): Promise<string | null> {
    return lockHolder(this.#lockPath);
  }

  get #lockPath(): string {
    return join(this.path, LOCK);
  }

  /**
   * Makes the folder, without an earlier run's files, and writes the recipe and what it takes from other files: the loss
   * where the recipe names a file, prompts and their embeddings. The recipe's paths are written from here, see
   * recipe-paths.ts.
   * @throws StorageError
   */
  async begin(recipe: Recipe, { lossFile, prompts, texts }: RunSources = {}): Promise<void> {
    try {
      await mkdir(this.path, { recursive: true });
      for (const name of await this.traces()) {
        await rm(join(this.path, name), { recursive: true, force: true });
      }
    } catch (error) {
      throw error instanceof TailrayError ? error : storageError(this.path, error);
    }
    if (lossFile) await writeAtomically(this.lossCopy(lossFile.path), lossFile.source, this.files);
    if (prompts !== undefined) await writeAtomically(this.promptCopy, prompts, this.files);
    if (texts) await writeTextTable(this.texts, texts, this.files);
    const kept = keptIn(this.path, withoutInheritedPlaces(recipe));
    await writeAtomically(join(this.path, NAMES.recipe), formatRecipe(kept), this.files);
  }

  /** Where the copy of a loss file lies. */
  lossCopy(path: string): string {
    return join(this.path, `loss${extname(path)}`);
  }

  /**
   * The loss that the run was begun with, where its recipe names a file.
   * @throws RunDirectoryError when the copy is not what it was; LossError when it can't be read
   */
  async lossFile({ loss }: Pick<Recipe, 'loss'>): Promise<LossFile | undefined> {
    if (!isLossFile(loss.name)) return undefined;
    const copy = await readLossFile(this.lossCopy(loss.name));
    if (copy.sha256 === loss.sha256) return copy;
    throw new RunDirectoryError(
      `${copy.path} has changed since the run was begun with it: restore it (its SHA-256 was ${loss.sha256}), or ` +
        'begin a new run.',
    );
  }

  /** The recipe that the run was begun with. @throws RunDirectoryError, RecipeError */
  async recipe(): Promise<Recipe> {
    const path = join(this.path, NAMES.recipe);
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      throw new RunDirectoryError(`${this.path} holds no run to resume: there is no ${NAMES.recipe}.`, {
        cause: error,
      });
    });
    return parseRecipe(text, { path });
  }

  /** Whether summary.json is there and tells of a run that came to its end. */
  async isFinished(): Promise<boolean> {
    const text = await readFile(join(this.path, NAMES.summary), 'utf8').catch(() => '{}');
    try {
      return JSON.parse(text).status === 'finished';
    } catch (error) {
      throw new RunDirectoryError(
        `${this.path}: ${NAMES.summary} is not valid JSON: restore it, or remove it.`,
        {
          cause: error,
        },
      );
    }
  }

  /** @throws StorageError */
  async writeSummary(summary: object): Promise<void> {
    await writeAtomically(
      join(this.path, NAMES.summary),
      `${JSON.stringify(summary, null, 2)}\n`,
      this.files,
    );
  }
}
