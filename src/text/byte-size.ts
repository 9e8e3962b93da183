import { NOTHING } from './numbers.js';

/** Sizes of memory and files as people write them: `4GiB`, `512 MiB`, `6 GB`, `1.5GiB`, or a plain number of bytes. */

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

/** @returns bytes, a whole number of at least 1; undefined where the text is no such size */
export function parseByteSize(text: string): number | undefined {
  const [, digits = '', unit = ''] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text) ?? [];
  const factor = UNITS[unit.toLowerCase()];
  if (digits === '' || factor === undefined) return undefined;
  const bytes = Math.floor(Number(digits) * factor);
  return bytes >= 1 ? bytes : undefined;
}

const PRINTED = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `128 MiB`, `12.3 MiB`, from 1 GiB on with two digits, `1.23 GiB`; small ones as `16 KiB` and `100 B`. */
export function formatByteSize(bytes: number): string {
  if (!Number.isFinite(bytes)) return NOTHING;
  const power = bytes >= 1 ? Math.min(Math.floor(Math.log2(bytes) / 10), PRINTED.length - 1) : 0;
  const value = bytes / 2 ** (10 * power);
  return `${Number.isInteger(value) ? value : value.toFixed(power >= 3 ? 2 : 1)} ${PRINTED[power]}`;
}

/** In MiB with no space and rounded up, so that it can be given as a budget that is large enough. */
export function sufficientByteSize(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)}MiB`;
}
