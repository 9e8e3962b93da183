import { appendFile, readFile } from 'node:fs/promises';
import { type FileSystem, nodeFiles, storageError, writeAtomically } from '../../storage/atomic-file.js';
import type { MetricsLine, RollbackLine } from './metrics-line.js';
import type { RunEvent } from './run-event.js';
import type { Progress } from './saved-state.js';

/** metrics.jsonl: one JSON object a line, in the order of the run, without repeats after a resume. */
export class MetricsLog {
  constructor(
    readonly path: string,
    private readonly files: FileSystem = nodeFiles,
  ) {}

  /** Writes the lines that an event brings: the listener that makes them durable. @throws StorageError */
  async listen(event: RunEvent): Promise<void> {
    if (event.kind === 'losses') await this.#append(event.lines);
    if (event.kind === 'epoch') await this.#append([event.line]);
  }

  async #append(lines: readonly MetricsLine[]): Promise<void> {
    if (lines.length === 0) return;
    try {
      await appendFile(this.path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    } catch (error) {
      throw storageError(this.path, error);
    }
  }

  /**
   * Drops what lies beyond a saved state: a run that goes on from there writes it again. Rollbacks that the state knows of
   * are written where they are missing.
   * @throws StorageError
   */
  async rewindTo(progress: Progress): Promise<void> {
    const { rollbacks = [] } = progress;
    let told = 0;
    const kept = (await this.read()).filter((line) => {
      if (line.kind === 'epoch') return line.epoch <= progress.epochsClosed;
      if (line.kind === 'step') return line.step <= progress.step;
      return ++told <= rollbacks.length;
    });
    const missing = rollbacks
      .slice(told)
      .map(({ step, to, factor }): RollbackLine => ({ kind: 'rollback', step: to, diverged: step, factor }));
    const lines = [...kept, ...missing].map((line) => `${JSON.stringify(line)}\n`);
    await writeAtomically(this.path, lines.join(''), this.files);
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
