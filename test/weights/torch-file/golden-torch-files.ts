import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { SafetensorsTensor } from '../../../src/models/safetensors/safetensors.js';
import { elementArrays, type SafetensorsDtype } from '../../../src/models/safetensors/safetensors-dtypes.js';
import { readGolden } from '../../golden/golden-files.js';

/** The files of test/golden/make_torch_files.py, and what PyTorch says is in them. */

interface GoldenTensor {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly values: readonly (number | string)[];
}

const golden = readGolden<Record<string, Record<string, GoldenTensor>>>('torch-files.json');

/** Names of the files that are zip archives. */
export const goldenNames = Object.keys(golden).filter((name) => name !== 'legacy');

export function goldenPath(name: string): string {
  return fileURLToPath(new URL(`../../golden/torch-files/${name}.pt`, import.meta.url));
}

export function goldenBytes(name: string): Uint8Array {
  return new Uint8Array(readFileSync(goldenPath(name)));
}

export function goldenTensors(name: string): Map<string, SafetensorsTensor> {
  return new Map(
    Object.entries(golden[name] ?? {}).map(([key, { dtype, shape, values }]) => {
      const data = new elementArrays[dtype](
        new ArrayBuffer(values.length * elementArrays[dtype].BYTES_PER_ELEMENT),
        0,
        values.length,
      );
      for (const [i, value] of values.entries()) data[i] = dtype === 'I64' ? BigInt(value) : Number(value);
      return [key, { dtype, shape, data } as SafetensorsTensor];
    }),
  );
}
