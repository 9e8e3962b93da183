import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { ImageError } from '../../../src/data/images/image-error.js';
import { readPicture } from '../../../src/data/images/image-source.js';
import { TableError } from '../../../src/data/tables/csv-sheet.js';
import { readTable } from '../../../src/data/tables/table.js';
import { crc32 } from '../../../src/storage/crc32.js';
import { mutated } from '../mutated.js';
import { temporaryFolder } from '../temporary-folder.js';
import { dataSets } from './npz-files.js';

/** Damaged and hostile archives: an error in plain words, in little time and memory. */

async function outcome(path: string): Promise<string> {
  try {
    const table = await readTable(path);
    const last = table.rows.at(-1)?.image ?? 'test/0';
    for (const id of ['train/0', last]) await readPicture(path, id);
    return 'read';
  } catch (error) {
    if (!(error instanceof ImageError || error instanceof TableError)) throw error;
    for (let each: unknown = error; each instanceof Error; each = each.cause) {
      expect(`${each.message} ${each.stack}`).not.toMatch(/Ztestov|Quirinius|ZQ4711/i);
    }
    expect(error.message).toMatch(/[A-Za-z].{20,}\.$/s);
    return error.constructor.name;
  }
}

test('2,000 damaged archives give their pictures or a clear error', { timeout: 120_000 }, async () => {
  const folder = await temporaryFolder();
  const before = process.memoryUsage().rss;
  const kinds = new Map<string, number>();
  const look = async (seed: number) => {
    const path = join(folder, `${seed}.npz`);
    const { file } = dataSets[seed % dataSets.length]!;
    // the directory stands at the end: half of the files are turned, changed and turned back
    const turned = seed % 2 === 0 ? file : Buffer.from(file).reverse();
    const changed = mutated(turned, seed);
    await writeFile(path, seed % 2 === 0 ? changed : changed.reverse());
    const kind = await outcome(path);
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  };
  for (let seed = 0; seed < 2000; seed += 8) {
    await Promise.all(Array.from({ length: 8 }, (_, i) => look(seed + i)));
  }
  expect(process.memoryUsage().rss - before).toBeLessThan(300 * 2 ** 20);
  expect(kinds.get('read')).toBeGreaterThan(50);
  expect(kinds.get('TableError')).toBeGreaterThan(500);
  expect(kinds.get('ImageError')).toBeGreaterThan(20);
});

describe('a hostile archive', () => {
  /** A zip archive of deflated members, with sizes as they are claimed. */
  function zipOf(members: readonly { name: string; packed: Buffer; bytes: number; sum: number }[]): Buffer {
    const parts: Buffer[] = [];
    const directory: Buffer[] = [];
    let at = 0;
    for (const { name, packed, bytes, sum } of members) {
      const fields = Buffer.alloc(26);
      fields.writeUInt16LE(20, 0);
      fields.writeUInt16LE(8, 4);
      fields.writeUInt32LE(sum, 10);
      fields.writeUInt32LE(packed.length, 14);
      fields.writeUInt32LE(bytes, 18);
      fields.writeUInt16LE(name.length, 22);
      const local = Buffer.concat([Buffer.from('504b0304', 'hex'), fields, Buffer.from(name), packed]);
      const place = Buffer.alloc(14);
      place.writeUInt32LE(at, 10);
      directory.push(Buffer.from('504b01021400', 'hex'), fields, place, Buffer.from(name));
      parts.push(local);
      at += local.length;
    }
    const end = Buffer.alloc(22);
    end.write('PK\x05\x06', 'latin1');
    end.writeUInt16LE(members.length, 8);
    end.writeUInt16LE(members.length, 10);
    end.writeUInt32LE(Buffer.concat(directory).length, 12);
    end.writeUInt32LE(at, 16);
    return Buffer.concat([...parts, ...directory, end]);
  }
  function npy(shape: string, data = Buffer.alloc(0)): Buffer {
    const text = `{'descr': '|u1', 'fortran_order': False, 'shape': ${shape}, }`.padEnd(117);
    return Buffer.concat([
      Buffer.from('934e554d5059010076 00'.replace(' ', ''), 'hex'),
      Buffer.from(`${text}\n`),
      data,
    ]);
  }
  const member = (name: string, content: Buffer, bytes = content.length) => ({
    name: `${name}.npy`,
    packed: deflateRawSync(content),
    bytes,
    sum: crc32(content),
  });

  async function refusal(file: Buffer): Promise<string> {
    const path = join(await temporaryFolder({ 'a.npz': file }), 'a.npz');
    const before = process.memoryUsage().rss;
    const error = await readTable(path)
      .then(() => readPicture(path, 'train/0'))
      .catch((thrown: unknown) => thrown);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20);
    expect(error instanceof TableError || error instanceof ImageError).toBe(true);
    return (error as Error).message;
  }
  const labels = (rows: number) => member('train_labels', npy(`(${rows}, 1)`, Buffer.alloc(rows)));

  test('whose pictures take more memory than there is', async () => {
    const images = npy('(40, 9000, 9000)');
    const padded = Buffer.concat([images, Buffer.alloc(4_000_000)]);
    const file = zipOf([
      {
        ...member('train_images', padded, 40 * 9000 * 9000 + images.length),
        packed: Buffer.alloc(4_000_000),
      },
      labels(40),
    ]);
    expect(await refusal(file)).toMatch(/train_images|takes? .* GiB|does not unpack/);
    const sound = zipOf([member('train_images', images), labels(40)]);
    expect(await refusal(sound)).toMatch(
      /its pictures take 3\.02 GiB unpacked; more than the 2 GiB that are held in memory/,
    );
  });

  test('that says another size than it has, or holds more than it says', async () => {
    const images = npy('(4, 8, 8)', Buffer.alloc(256, 7));
    expect(await refusal(zipOf([member('train_images', images, images.length * 2000), labels(4)]))).toMatch(
      /said to be larger than its bytes can be/,
    );
    expect(await refusal(zipOf([member('train_images', images.subarray(0, -1)), labels(4)]))).toMatch(
      /says 256 bytes of elements, and its entry has 383 bytes in all/,
    );
    const long = {
      ...member('train_images', Buffer.concat([images, Buffer.alloc(5_000_000)])),
      bytes: images.length,
    };
    expect(await refusal(zipOf([long, labels(4)]))).toMatch(
      /train_images is damaged \(it is longer than it says\)/,
    );
    const wrong = { ...member('train_images', images), sum: 1 };
    expect(await refusal(zipOf([wrong, labels(4)]))).toMatch(/its checksum does not hold/);
  });

  test.each([
    ['(3, 8)', /shape \(3, 8\); pictures are/],
    ['(3, 8, 8, 8)', /shape \(3, 8, 8, 8\); pictures are/],
    ['(3, 0, 8)', /shape \(3, 0, 8\)/],
    ['(99999999999999, 8, 8)', /a shape that no memory holds/],
    ['(-1, 8, 8)', /a header that is not numpy’s/],
    ["(__import__('os').abort(), 8, 8)", /a header that is not numpy’s/],
  ])('whose pictures have the shape %s', async (shape, message) => {
    expect(await refusal(zipOf([member('train_images', npy(shape)), labels(3)]))).toMatch(message);
  });

  test('whose labels are of other pictures, or no labels', async () => {
    const images = member('train_images', npy('(4, 8, 8)', Buffer.alloc(256)));
    expect(await refusal(zipOf([images, labels(5)]))).toMatch(
      /train_labels.* shape \(5, 1\); \(4,\) or \(4, labels\) is wanted/,
    );
    expect(await refusal(zipOf([images]))).toMatch(/it has no array train_labels/);
    const two = member('train_labels', npy('(4, 2)', Buffer.from([0, 1, 1, 0, 0, 2, 0, 0])));
    expect(await refusal(zipOf([images, two]))).toMatch(
      /train_labels has 2 in row 2, column 1, where 0 or 1 is wanted/,
    );
    expect(await refusal(zipOf([member('other', npy('(1,)', Buffer.alloc(1)))]))).toMatch(
      /it has no train_images, val_images or test_images/,
    );
    expect(await refusal(Buffer.from('PK\x03\x04 no archive'))).toMatch(/it is no zip archive/);
  });
});
