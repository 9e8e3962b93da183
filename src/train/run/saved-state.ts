import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import {
  readSafetensors,
  type SafetensorsTensor,
  toFloat32,
  writeSafetensors,
} from '../../models/safetensors/safetensors.js';
import { SafetensorsError } from '../../models/safetensors/safetensors-header.js';
import {
  type FileSystem,
  nodeFiles,
  storageError,
  writeAtomically,
  writeThrough,
} from '../../storage/atomic-file.js';
import { sha256 } from '../../storage/content-digest.js';
import { parseJson } from '../../storage/parse-json.js';
import { CheckpointError } from '../../weights/checkpoint-error.js';

/**
 * All that an exact resume needs, in the folder `last/`: one safetensors file an arena in a folder named after the step,
 * and state.json, which says which folder counts. Replacing state.json is the one moment at which a save happens: before
 * it the old save is whole, after it the new one is.
 *
 *     last/state.json
 *     last/step-120/params.safetensors, stats.safetensors, firstMoment.safetensors, …
 */

const FORMAT_VERSION = 1;

const progressSchema = z.strictObject({
  /** Steps done. */
  step: z.int().min(0),
  /** Epochs whose validation is done and whose line is in metrics.jsonl. */
  epochsClosed: z.int().min(0),
  /** Sum of the losses of the steps done since then, and their number. */
  epochLoss: z.strictObject({ sum: z.number(), steps: z.int().min(0) }),
  /** The validation that the kept checkpoint had; null before the first. */
  best: z
    .strictObject({ epoch: z.int().min(1), mAP: z.number().nullable(), auroc: z.number().nullable() })
    .nullable(),
  /** Epochs and steps that stages left out by ending early; absent where none did. They count in `step` and `epochsClosed`. */
  skipped: z.strictObject({ epochs: z.int().min(0), steps: z.int().min(0) }).optional(),
  /** The stage that the saved arenas belong to, from 1; absent in a run without stages. */
  stage: z.int().min(1).optional(),
  /** The epochs whose weights lie in `kept/`, the best first; absent where the recipe keeps no more than the best. */
  kept: z.array(z.strictObject({ epoch: z.int().min(1), mAP: z.number().nullable() })).optional(),
  /** How often the run diverged and went back, see src/train/divergence; absent where it never did. */
  rollbacks: z
    .array(
      z.strictObject({
        /** The step that was not finite, and the last one that counts. */
        step: z.int().min(1),
        to: z.int().min(0),
        /** Of the learning rate, from there on to the end of the stage. */
        factor: z.number(),
      }),
    )
    .optional(),
});

/** Where a run stands, apart from its weights. */
export type Progress = z.infer<typeof progressSchema>;

const filesSchema = z.record(z.string(), z.strictObject({ file: z.string(), sha256: z.string() }));

const contentSchema = z.strictObject({
  version: z.int(),
  progress: progressSchema,
  /** Fingerprint of the rows and labels trained and validated on. */
  data: z.string(),
  /** The adapter that computed it; another one rounds otherwise. */
  adapter: z.string(),
  /** The kernel variants that computed it, by problem; others round otherwise. Absent in saves of before they were chosen. */
  kernels: z.record(z.string(), z.string()).optional(),
  /** `DeviceTraits.residentGroups` of the adapter, by which kernels cut their sums. Absent in saves of before it was measured. */
  residentGroups: z.int().positive().optional(),
  /** The most that any stage so far took on the device; absent in a run without stages, whose trainer knows it. */
  peakBytes: z.int().min(0).optional(),
  files: filesSchema,
  /** The state to roll back to, where that is not this one. */
  before: z.strictObject({ progress: progressSchema, files: filesSchema }).optional(),
});

const stateSchema = z.strictObject({ content: contentSchema, sha256: z.string() });

type Content = z.infer<typeof contentSchema>;

export type SavedAbout = Omit<Content, 'version' | 'files' | 'before'>;

/** One set of named tensors with their shapes, such as all parameters. */
export interface ArenaContent {
  readonly name: string;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  read(): Promise<ReadonlyMap<string, Float32Array>>;
}

/** The folder `last/` of a run. */
export class SavedState {
  readonly folder: string;
  readonly #files: FileSystem;
  /** Arenas on disk: a second save at one place need not write them again. */
  #written: { folder: string; files: Record<string, { file: string; sha256: string }> } | undefined;

  constructor(folder: string, files: FileSystem = nodeFiles) {
    this.folder = folder;
    this.#files = files;
  }

  /**
   * Saves, whole or not at all; at most one arena is held in memory at a time.
   * @param between whether it comes between two saves that the recipe's epochs ask for: the one before stays beside it,
   *   and a rollback goes there, whenever the clock or a person asked for a save
   * @throws StorageError; the previous save is then as it was
   */
  async save(about: SavedAbout, arenas: readonly ArenaContent[], between = false): Promise<void> {
    const before = between ? await this.#target().catch(undamaged) : undefined;
    const folder = folderOf(about.progress);
    if (this.#written?.folder !== folder) {
      await this.#clean();
      this.#written = { folder, files: await this.#writeArenas(folder, arenas) };
    }
    const { files } = this.#written;
    const apart = before && folderOf(before.progress) !== folder;
    await this.#replace({ version: FORMAT_VERSION, ...about, files, ...(apart && { before }) });
  }

  /** Where a rollback goes back to; null where nothing was saved. @throws CheckpointError */
  async target(): Promise<Progress | null> {
    return (await this.#target())?.progress ?? null;
  }

  /**
   * Makes the state to roll back to the one that counts.
   * @param progress its own, with what must be remembered of the steps that are lost
   * @throws StorageError, CheckpointError
   */
  async rollBack(progress: Progress): Promise<void> {
    const content = await this.#content();
    if (content === undefined) throw new RangeError('nothing was saved to roll back to');
    const { before, ...last } = content;
    const { files } = before ?? last;
    await this.#replace({ ...last, progress, files });
    this.#written = { folder: folderOf(progress), files };
  }

  /**
   * What was saved last, without the tensors; null when nothing was.
   * @throws CheckpointError when the state is damaged or of a later version
   */
  async about(): Promise<SavedAbout | null> {
    return (await this.#content()) ?? null;
  }

  /**
   * The tensors of one arena, checked against the shapes that the model has.
   * @throws CheckpointError naming file and tensor
   */
  async tensors({ name, shapes }: Omit<ArenaContent, 'read'>): Promise<Map<string, Float32Array>> {
    const content = await this.#content();
    const path = join(this.folder, 'state.json');
    if (content === undefined) throw new CheckpointError('missing', path, 'there is no such file.');
    const entry = content.files[name];
    if (entry === undefined) {
      throw new CheckpointError('mismatch', path, `no "${name}" was saved: the run was of another kind.`);
    }
    const file = join(this.folder, entry.file);
    const bytes = new Uint8Array(await readWhole(file));
    if ((await sha256(bytes)) !== entry.sha256) {
      throw new CheckpointError('damaged', file, 'was cut short or changed since it was saved.');
    }
    const tensors = decode(bytes, file);
    this.#written = { folder: folderOf(content.progress), files: content.files };
    return matchShapes(tensors, shapes, file);
  }

  /** What stands in state.json counts from here on. */
  async #replace(given: Content): Promise<void> {
    // its fields in the order of the schema, as they are when it is read: the digest is of the text
    const content = contentSchema.parse(given);
    const state = { content, sha256: await sha256(JSON.stringify(content)) };
    await writeAtomically(
      join(this.folder, 'state.json'),
      `${JSON.stringify(state, null, 2)}\n`,
      this.#files,
    );
    await this.#clean();
  }

  async #target(): Promise<Pick<Content, 'progress' | 'files'> | undefined> {
    const content = await this.#content();
    return content && (content.before ?? { progress: content.progress, files: content.files });
  }

  async #writeArenas(stepFolder: string, arenas: readonly ArenaContent[]) {
    const files: Record<string, { file: string; sha256: string }> = {};
    const folder = join(this.folder, stepFolder);
    try {
      await this.#files.mkdir(folder, { recursive: true });
      for (const arena of arenas) {
        const file = `${stepFolder}/${arena.name}.safetensors`;
        const bytes = await encodeArena(arena);
        await writeThrough(join(this.folder, file), bytes, this.#files);
        files[arena.name] = { file, sha256: await sha256(bytes) };
      }
    } catch (error) {
      await this.#files.rm(folder, { force: true, recursive: true }).catch(() => undefined);
      throw storageError(folder, error);
    }
    return files;
  }

  /** Removes the folders of steps that state.json doesn't name: older ones, or left by a save that was cut off. */
  async #clean(): Promise<void> {
    const kept = new Set<string>();
    try {
      const content = await this.#content();
      for (const files of [content?.files, content?.before?.files]) {
        for (const { file } of Object.values(files ?? {})) kept.add(file.split('/')[0] ?? '');
      }
    } catch (error) {
      // a damaged state is about to be replaced; what it named can't be known, so nothing is removed
      return undamaged(error);
    }
    for (const name of await readdir(this.folder).catch(() => [])) {
      if (!name.startsWith('step-') || kept.has(name)) continue;
      await this.#files.rm(join(this.folder, name), { force: true, recursive: true });
    }
  }

  async #content(): Promise<Content | undefined> {
    const path = join(this.folder, 'state.json');
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
      throw new CheckpointError('damaged', path, `can't be read (${error.code}).`, { cause: error });
    });
    if (text === undefined) return undefined;
    const state = stateSchema.safeParse(parseJson(text));
    if (state.success && state.data.content.version > FORMAT_VERSION) {
      throw new CheckpointError('newer', path, 'was saved by a later version of tailray: update tailray.');
    }
    if (!state.success || (await sha256(JSON.stringify(state.data.content))) !== state.data.sha256) {
      throw new CheckpointError('damaged', path, 'was cut short or changed since it was saved.');
    }
    return state.data.content;
  }
}

/** Nothing for the error of a damaged state, which is about to be replaced. */
function undamaged(error: unknown): undefined {
  if (!(error instanceof CheckpointError)) throw error;
}

/** Where one stage ends another begins, at the same step. */
function folderOf({ step, stage = 1 }: Progress): string {
  return stage === 1 ? `step-${step}` : `step-${step}-stage-${stage}`;
}

async function encodeArena({ shapes, read }: ArenaContent): Promise<Uint8Array<ArrayBuffer>> {
  const tensors = await read();
  return writeSafetensors(
    Array.from(tensors, ([name, data]): [string, SafetensorsTensor] => [
      name,
      { dtype: 'F32', shape: shapes.get(name) ?? [data.length], data: data as Float32Array<ArrayBuffer> },
    ]),
  );
}

function decode(bytes: Uint8Array, path: string): ReadonlyMap<string, SafetensorsTensor> {
  try {
    return readSafetensors(bytes).tensors;
  } catch (error) {
    if (!(error instanceof SafetensorsError)) throw error;
    throw new CheckpointError('damaged', path, error.message, { cause: error });
  }
}

function matchShapes(
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  shapes: ReadonlyMap<string, readonly number[]>,
  path: string,
): Map<string, Float32Array> {
  const extra = [...tensors.keys()].find((name) => !shapes.has(name));
  if (extra !== undefined) {
    throw new CheckpointError('mismatch', path, `holds "${extra}", which this model doesn't have.`);
  }
  return new Map(
    Array.from(shapes, ([name, shape]) => {
      const tensor = tensors.get(name);
      if (tensor === undefined) {
        throw new CheckpointError('mismatch', path, `holds no "${name}", which this model has.`);
      }
      if (tensor.shape.join() !== shape.join()) {
        throw new CheckpointError(
          'mismatch',
          path,
          `"${name}" has shape [${tensor.shape}], this model's has [${shape}].`,
        );
      }
      return [name, toFloat32(tensor)];
    }),
  );
}

async function readWhole(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    throw new CheckpointError('missing', path, "was saved but isn't there any more.", { cause: error });
  }
}
