import { readGolden } from '../../golden/golden-files.js';

/** The files of make_npz.py. */

interface Arrays {
  readonly [name: string]: { readonly shape: number[]; readonly values: (number | boolean)[] };
}
interface Encoded {
  readonly data: string;
}

export interface NpzCase {
  readonly name: string;
  readonly file: Buffer;
  readonly arrays: Arrays;
}

const golden = readGolden<{
  dataSets: (Encoded & { name: string; arrays: Arrays })[];
  numbers: Encoded & { arrays: Arrays };
  versions: (Encoded & { version: number[] })[];
  refused: (Encoded & { name: string })[];
}>('npz.json.gz');

function decoded<T extends Encoded>({ data, ...rest }: T) {
  return { ...rest, file: Buffer.from(data, 'base64') };
}

export const dataSets: readonly NpzCase[] = golden.dataSets.map(decoded);
export const numbers = decoded(golden.numbers);
export const versions = golden.versions.map(decoded);
export const refusedFiles = golden.refused.map(decoded);

export function dataSet(name: string): NpzCase {
  const found = dataSets.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no golden file "${name}"`);
  return found;
}
