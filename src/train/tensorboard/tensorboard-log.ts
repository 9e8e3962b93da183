import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { storageError } from '../../storage/atomic-file.js';
import type { EpochLine, StepLine } from '../run/metrics-line.js';
import type { RunEvent } from '../run/run-event.js';
import { eventRecord } from './event-record.js';
import { SessionLog_SessionStatus } from './events_pb.js';

/**
 * The curves of a run for TensorBoard, beside metrics.jsonl: a file for each session, all in one folder. A session begins
 * with the step that it goes on from, and TensorBoard then drops what an interrupted one before it had written beyond that.
 */
export class TensorboardLog {
  readonly #folder: string;
  readonly #now: () => number;
  #path: string | undefined;
  /** Of the stage's validations. */
  #group = 'validation';

  /** @param now seconds since 1970 */
  constructor(folder: string, now = () => Date.now() / 1000) {
    this.#folder = folder;
    this.#now = now;
  }

  /** @throws StorageError */
  async listen(event: RunEvent): Promise<void> {
    if (event.kind === 'ready') {
      const { curve } = event.stage;
      this.#group = curve === undefined ? 'validation' : `validation_${curve}`;
      await this.#begin(event.progress.step);
    }
    if (event.kind === 'losses') for (const line of event.lines) await this.#scalars(line.step, ofStep(line));
    if (event.kind === 'epoch') await this.#scalars(event.line.step, ofEpoch(event.line, this.#group));
  }

  /** Of a run in stages, only the first that is ready begins a session. */
  async #begin(step: number): Promise<void> {
    if (this.#path !== undefined) return;
    const wallTime = this.#now();
    // TensorBoard reads files of such names, in their order
    this.#path = join(this.#folder, `events.out.tfevents.${Math.floor(wallTime)}.tailray.${process.pid}`);
    const status = SessionLog_SessionStatus.START;
    await this.#append([
      eventRecord({ wallTime, what: { case: 'fileVersion', value: 'brain.Event:2' } }),
      eventRecord({
        wallTime,
        step: BigInt(step + 1),
        what: { case: 'sessionLog', value: { status } },
      }),
    ]);
  }

  async #scalars(step: number, values: ReadonlyMap<string, number>): Promise<void> {
    if (values.size === 0) return;
    const value = Array.from(values, ([tag, simpleValue]) => ({
      tag,
      value: { case: 'simpleValue', value: simpleValue } as const,
    }));
    const wallTime = this.#now();
    await this.#append([
      eventRecord({ wallTime, step: BigInt(step), what: { case: 'summary', value: { value } } }),
    ]);
  }

  async #append(records: readonly Uint8Array[]): Promise<void> {
    const path = this.#path;
    if (path === undefined) return;
    try {
      await mkdir(this.#folder, { recursive: true });
      await appendFile(path, Buffer.concat(records));
    } catch (error) {
      throw storageError(path, error);
    }
  }
}

function ofStep({ loss, gradientNorm, learningRate, lossScale }: StepLine): Map<string, number> {
  return known({
    'train/loss': loss,
    'train/gradient_norm': gradientNorm,
    'train/learning_rate': learningRate,
    'train/loss_scale': lossScale,
  });
}

function ofEpoch({ epoch, loss, validation, seconds }: EpochLine, group: string): Map<string, number> {
  const scores = Object.entries(validation ?? {}).map(([name, value]) => [`${group}/${name}`, value]);
  return known({
    'epoch/number': epoch,
    'epoch/loss': loss,
    'epoch/seconds': seconds,
    ...Object.fromEntries(scores),
  });
}

/** Without what is no number. */
function known(values: Readonly<Record<string, number | null | undefined>>): Map<string, number> {
  return new Map(
    Object.entries(values).filter((pair): pair is [string, number] => typeof pair[1] === 'number'),
  );
}
