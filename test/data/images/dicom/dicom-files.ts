import { readGolden } from '../../../golden/golden-files.js';

/** The files of make_dicom.py, and the persons and numbers in them, whom nobody must meet again. */

export interface DicomCase {
  readonly name: string;
  readonly file: Buffer;
  readonly height: number;
  readonly width: number;
  readonly maximum: number;
  readonly grey: readonly number[];
  /** In [0, 1], by the file's own window; null where it gives none. */
  readonly shown: readonly number[] | null;
}

type Encoded<T> = Omit<T, 'file'> & { readonly data: string };

const golden = readGolden<{
  identifiers: string[];
  files: Encoded<DicomCase>[];
  refused: { reason: string; data: string }[];
}>('dicom.json.gz');

export const dicomFiles: readonly DicomCase[] = golden.files.map(({ data, ...rest }) => ({
  ...rest,
  file: Buffer.from(data, 'base64'),
}));

export const refusedDicomFiles = golden.refused.map(({ reason, data }) => ({
  reason,
  file: Buffer.from(data, 'base64'),
}));

export function dicomFile(name: string): Buffer {
  const found = dicomFiles.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no golden file "${name}"`);
  return found.file;
}

/** Identifiers of the made-up person that stand in a text, in an error's, or in those of its causes. */
export function identifiersIn(thrown: unknown): string[] {
  const texts: string[] = [];
  for (let each = thrown; each !== undefined; each = each instanceof Error ? each.cause : undefined) {
    texts.push(
      each instanceof Error ? `${each.message}\n${each.stack}\n${JSON.stringify(each)}` : String(each),
    );
  }
  const text = texts.join('\n').toLowerCase();
  return golden.identifiers.filter((id) => text.includes(id.toLowerCase()));
}
