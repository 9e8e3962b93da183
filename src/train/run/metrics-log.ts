import { appendFile, readFile } from 'node:fs/promises';
import { type FileSystem, nodeFiles, storageError, writeAtomically } from '../../storage/atomic-file.js';
import type { Progress } from './saved-state.js';

/** A training step; one line every `logEvery` steps. What is no number (NaN, infinite) is null. */
export interface StepLine {
  readonly kind: 'step';
  /** Of a run in stages, from 1. */
  readonly stage?: number | undefined;
  /** From 1, through all stages. */
  readonly step: number;
  readonly epoch: number;
  readonly loss: number | null;
  /** L2 norm of the whole gradient before clipping. */
  readonly gradientNorm: number | null;
  readonly learningRate: number;
  /** Of mixed precision: what the gradient started from; null gradientNorm: it overflowed, and the step was left out. */
  readonly lossScale?: number | undefined;
}

/** The end of an epoch. */
export interface EpochLine {
  readonly kind: 'epoch';
  readonly stage?: number | undefined;
  /** From 1, through all stages. */
  readonly epoch: number;
  readonly step: number;
  /** Mean over the epoch's steps. */
  readonly loss: number | null;
  /** Macro means on the validation split; null in an epoch without validation. */
  readonly validation: Readonly<Record<string, number | null>> | null;
  /** Whether its weights became best.safetensors. */
  readonly best: boolean;
  /** Wall-clock time of the epoch in this session. */
  readonly seconds: number;
}

export type MetricsLine = StepLine | EpochLine;

/** metrics.jsonl: one JSON object a line, in the order of the run, without repeats after a resume. */
export class MetricsLog {
  constructor(
    readonly path: string,
    private readonly files: FileSystem = nodeFiles,
  ) {}

  /** @throws StorageError */
  async append(lines: readonly MetricsLine[]): Promise<void> {
    if (lines.length === 0) return;
    try {
      await appendFile(this.path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    } catch (error) {
      throw storageError(this.path, error);
    }
  }

  /** Drops what lies beyond a saved state: a run that is resumed there writes it again. @throws StorageError */
  async rewindTo(progress: Progress): Promise<void> {
    const kept = (await this.read()).filter((line) =>
      line.kind === 'step' ? line.step <= progress.step : line.epoch <= progress.epochsClosed,
    );
    await writeAtomically(this.path, kept.map((line) => `${JSON.stringify(line)}\n`).join(''), this.files);
  }

  /** All lines; a last line that was cut off by a crash is left out. */
  async read(): Promise<MetricsLine[]> {
    const text = await readFile(this.path, 'utf8').catch(() => '');
    return text.split('\n').flatMap((line): MetricsLine[] => {
      try {
        return line === '' ? [] : [JSON.parse(line) as MetricsLine];
      } catch {
        return [];
      }
    });
  }
}
