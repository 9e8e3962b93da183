import { randomUUID } from 'node:crypto';
import { appendFile, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { z } from 'zod';
import type { TuneRecord, TuneStore } from '../../engine/choose/tune.js';
import { cacheFolder } from '../../storage/cache-folder.js';
import { adapterFileName } from './adapter-memory.js';

/**
 * What the tuner learned, in the cache folder: a file for each adapter with its driver and each version of tailray, a
 * line of JSON for each problem.
 *
 *     ~/.cache/tailray/tuned/llvmpipe-mesa-25-0-7-1f0c22ab.jsonl
 *
 * Lines are only appended, each by one write, so processes may tune at once; where two measured the same problem, the
 * later line counts. A line that is no record (a machine went off, a disk was full) is passed over with a warning, and
 * the file is renewed without it at the next record. Nothing here is worth stopping for: a file that can't be read or
 * written costs a warning, and measuring again.
 */
export interface TuneCacheOptions {
  /** The adapter and its driver, see `Device.description`. */
  readonly device: string;
  /** Of tailray: kernels change with it. */
  readonly version: string;
  /** Default: `tuned` in the user's cache folder. */
  readonly folder?: string | undefined;
  /** Default: a line on stderr. */
  readonly warn?: ((message: string) => void) | undefined;
}

const recordSchema = z.strictObject({
  problem: z.string().min(1),
  winner: z.string().min(1),
  ms: z.record(z.string(), z.number().positive().nullable()),
  refused: z.record(z.string(), z.string()),
});

/** Of the lines: files of other forms are left alone. */
const FORM = 2;

/** Milliseconds after which a write that began before a rename is done. */
const UNDER_WAY = 100;

export class TuneCache implements TuneStore {
  readonly path: string;
  readonly #warn: (message: string) => void;
  #damaged = false;
  #warned = false;

  constructor({ device, version, folder = join(cacheFolder(), 'tuned'), warn = tell }: TuneCacheOptions) {
    this.path = join(folder, adapterFileName(device, `${device} ${version} ${FORM}`, 'jsonl'));
    this.#warn = warn;
  }

  async load(): Promise<Map<string, TuneRecord>> {
    try {
      const { records, damaged } = parse(await readFile(this.path));
      if (damaged > 0) {
        this.#damaged = true;
        this.#warn(
          `${this.path}: ${damaged} ${damaged === 1 ? 'line is' : 'lines are'} damaged and passed over; ` +
            'what they told will be measured again.',
        );
      }
      return records;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') this.#warnOnce(`can't be read (${reasonOf(error)})`);
      return new Map();
    }
  }

  async add(record: TuneRecord): Promise<void> {
    try {
      await mkdir(dirname(this.path), { recursive: true });
      if (this.#damaged) await this.#renew();
      // the newline in front keeps the record whole where an earlier write was cut off
      await appendFile(this.path, `\n${JSON.stringify(record)}\n`);
    } catch (error) {
      this.#warnOnce(`can't be written (${reasonOf(error)})`);
    }
  }

  /** Takes the damaged file out of the way and adds its sound lines to a new one. */
  async #renew(): Promise<void> {
    const aside = `${this.path}.${randomUUID()}.damaged`;
    try {
      await rename(this.path, aside);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      // another process is at it
      this.#damaged = false;
      return;
    }
    // a line that another process was writing when the file was moved still goes there
    await setTimeout(UNDER_WAY);
    const { records } = parse(await readFile(aside));
    const lines = Array.from(records.values(), (record) => `${JSON.stringify(record)}\n`);
    await appendFile(this.path, `\n${lines.join('')}`);
    await rm(aside);
    this.#damaged = false;
  }

  #warnOnce(what: string): void {
    if (this.#warned) return;
    this.#warned = true;
    this.#warn(
      `${this.path} ${what}: measured kernels are not remembered. TAILRAY_CACHE names another folder.`,
    );
  }
}

function parse(bytes: Buffer): { records: Map<string, TuneRecord>; damaged: number } {
  const records = new Map<string, TuneRecord>();
  let damaged = 0;
  for (const line of bytes.toString('utf8').split('\n')) {
    if (line === '') continue;
    const record = parseLine(line);
    if (record) records.set(record.problem, record);
    else damaged++;
  }
  return { records, damaged };
}

function parseLine(line: string): TuneRecord | undefined {
  try {
    const { success, data } = recordSchema.safeParse(JSON.parse(line));
    return success ? data : undefined;
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

function reasonOf(error: unknown): string {
  return codeOf(error) ?? String(error);
}

function tell(message: string): void {
  process.stderr.write(`tailray: ${message}\n`);
}
