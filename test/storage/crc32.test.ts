import { expect, test } from 'vitest';
import { crc32, crc32ByTable } from '../../src/storage/crc32.js';

const bytes = Uint8Array.from(Buffer.from('123456789'));

// the check value that catalogues of checksums give for this one
test.each([crc32, crc32ByTable])('%o: the checksum of zip and PNG, whole and in pieces', (sum) => {
  expect(sum(bytes)).toBe(0xcbf43926);
  expect(sum(bytes.subarray(4), sum(bytes.subarray(0, 4)))).toBe(0xcbf43926);
  expect(sum(new Uint8Array(0))).toBe(0);
  expect(sum(new Uint8Array(0), 0xcbf43926)).toBe(0xcbf43926);
});
