/** Sizes of memory as people write them: `4GiB`, `512 MiB`, `6 GB`, `1.5GiB`, or a plain number of bytes. */

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

/** `12.3 MiB`, from 1 GiB on `1.23 GiB`. */
export function formatByteSize(bytes: number): string {
  return bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(2)} GiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** The same with no space and rounded up, so that it can be given as a budget that is large enough. */
export function sufficientByteSize(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)}MiB`;
}
