import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** Golden files, read back: written by the scripts beside this file (see README.md). */

/** A golden file's content; its shape is what the script of the same name wrote. */
export function readGolden<T>(name: string): T {
  const bytes = readFileSync(new URL(name, import.meta.url));
  return JSON.parse((name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')) as T;
}

/** JSON has no NaN, so golden files hold null in its place. */
export function withNaN(values: readonly (number | null)[]): Float64Array {
  return Float64Array.from(values, (value) => value ?? Number.NaN);
}
