/** What lies on disk: the challenge's files, the same bytes twice, and nothing at all when something goes wrong. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeGreyPng } from '../../src/data/images/encode-png.js';
import { FINDINGS, IN_DISTRIBUTION, OUT_OF_DISTRIBUTION } from '../../src/data/tables/findings.js';
import { samplePhantomCases } from '../../src/phantom/cases.js';
import { drawContactSheet } from '../../src/phantom/contact-sheet.js';
import { explainWriteError, writePhantomDataset } from '../../src/phantom/dataset.js';
import { drawPhantom } from '../../src/phantom/draw.js';
import { PhantomOptionsError, PhantomWriteError } from '../../src/phantom/errors.js';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'tailray-phantom-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

async function readGrey16(bytes: Uint8Array | string): Promise<Uint16Array> {
  const raw = await sharp(bytes).toColourspace('grey16').raw({ depth: 'ushort' }).toBuffer();
  return new Uint16Array(raw.buffer, raw.byteOffset, raw.length / 2);
}

async function digests(directory: string): Promise<Record<string, string>> {
  const files = await readdir(directory, { recursive: true, withFileTypes: true });
  const result: Record<string, string> = {};
  for (const file of files.filter((one) => one.isFile())) {
    const path = join(file.parentPath, file.name);
    result[path.slice(directory.length)] = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  }
  return result;
}

const readTable = async (path: string) =>
  parse(await readFile(path, 'utf8'), { columns: true }) as Record<string, string>[];

describe('encodeGreyPng', () => {
  it('survives an independent decoder, 8 and 16 bits', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 17 }),
        fc.integer({ min: 1, max: 17 }),
        fc.infiniteStream(fc.integer({ min: 0, max: 65535 })),
        async (width, height, stream) => {
          const pixels = Uint16Array.from({ length: width * height }, () => stream.next().value as number);
          const bytes = encodeGreyPng(pixels, width, height);
          const { depth, width: w, height: h, channels } = await sharp(bytes).metadata();
          expect({ depth, w, h, channels }).toEqual({ depth: 'ushort', w: width, h: height, channels: 1 });
          expect(await readGrey16(bytes)).toEqual(pixels);
          const narrow = Uint8Array.from(pixels, (value) => value >> 8);
          const back = await sharp(encodeGreyPng(narrow, width, height))
            .toColourspace('b-w')
            .raw()
            .toBuffer();
          expect(new Uint8Array(back)).toEqual(narrow);
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe('writePhantomDataset', () => {
  const options = { count: 24, seed: 7, size: 24, imbalance: 20 };

  it('writes the same bytes twice, and image k is the same in a longer set', async () => {
    await writePhantomDataset({ ...options, out: join(home, 'a'), ood: true, unknown: 0.2 });
    await writePhantomDataset({ ...options, out: join(home, 'b'), ood: true, unknown: 0.2 });
    const first = await digests(join(home, 'a'));
    expect(await digests(join(home, 'b'))).toEqual(first);
    await writePhantomDataset({ ...options, count: 40, out: join(home, 'c') });
    const longer = await digests(join(home, 'c'));
    const images = samplePhantomCases({ ...options }).map((one) => `/images/${one.imageId}`);
    expect(images.length).toBe(24);
    for (const image of images) expect(longer[image]).toBe(first[image]);
  });

  it('writes no table of held-out images where none are held out', async () => {
    const out = join(home, 'whole');
    await writePhantomDataset({ ...options, testFraction: 0, out });
    expect((await readdir(out)).sort()).toEqual(['dataset.json', 'images', 'train.csv']);
  });

  it('writes the challenge’s tables and images that hold what was drawn', async () => {
    const out = join(home, 'set');
    const seen: number[] = [];
    const flaws = { unknown: 0.2, labelNoise: 0.1, ood: true, testFraction: 0.4 };
    const summary = await writePhantomDataset({ ...options, ...flaws, out }, (done) => seen.push(done));
    const cases = samplePhantomCases({ ...options, ...flaws });
    expect(seen).toEqual(cases.map((_, i) => i + 1));
    expect(await readdir(home)).toEqual(['set']);
    expect((await readdir(join(out, 'images'))).length).toBe(cases.length);

    const header = (await readFile(join(out, 'train.csv'), 'utf8')).split('\n')[0];
    expect(header).toBe(['ImageID', 'StudyDate_DICOM', 'PatientID', ...IN_DISTRIBUTION].join(','));
    const train = await readTable(join(out, 'train.csv'));
    const expected = cases.filter((one) => one.split === 'train');
    expect(train.length).toBe(expected.length);
    expect(summary.images.train).toBe(expected.length);
    expected.forEach((one, row) => {
      expect(train[row]!.ImageID).toBe(one.imageId);
      expect(train[row]!.PatientID).toMatch(/^\d{39}$/);
      expect(train[row]!.StudyDate_DICOM).toMatch(/^20\d{6}$/);
      const cells = IN_DISTRIBUTION.map((name) => train[row]![name]);
      expect(cells).toEqual(one.labels.map((label) => (label === undefined ? '' : String(label))));
    });
    const truth = await readTable(join(out, 'truth.csv'));
    expect(IN_DISTRIBUTION.map((name) => truth[0]![name] === '1')).toEqual(
      IN_DISTRIBUTION.map((name) => expected[0]!.findings.includes(name)),
    );

    const test = await readTable(join(out, 'test.csv'));
    const evaluation = await readTable(join(out, 'evaluation.csv'));
    expect(evaluation.map((row) => row.ImageID)).toEqual(test.map((row) => row.ImageID));
    expect(evaluation.every((row) => IN_DISTRIBUTION.every((name) => row[name] === ''))).toBe(true);
    expect(test.every((row) => IN_DISTRIBUTION.every((name) => /^[01]$/.test(row[name]!)))).toBe(true);
    const zeroshot = await readTable(join(out, 'zeroshot.csv'));
    expect(Object.keys(zeroshot[0]!).slice(3)).toEqual([...OUT_OF_DISTRIBUTION]);

    const [one] = cases;
    const stored = await readGrey16(join(out, 'images', one!.imageId));
    expect(stored).toEqual(drawPhantom({ ...one!, size: options.size }).pixels);

    const description = JSON.parse(await readFile(join(out, 'dataset.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    expect(description.notice).toMatch(/SIMULATED.*never for clinical use/);
    expect(description.options).toMatchObject({ seed: 7, size: 24, imbalance: 20, unknown: 0.2 });
    expect(JSON.stringify(description)).not.toContain(home);
  });

  it('refuses a taken directory, replaces its own kind with force, and never anything else', async () => {
    const out = join(home, 'set');
    await writePhantomDataset({ ...options, count: 3, out });
    const before = await digests(out);
    await expect(writePhantomDataset({ ...options, count: 2, out })).rejects.toThrow(/not empty.*--force/);
    expect(await digests(out)).toEqual(before);
    await writePhantomDataset({ ...options, count: 2, out, force: true });
    expect((await readdir(join(out, 'images'))).length).toBe(2);

    const other = join(home, 'thesis');
    await mkdir(other);
    await writeFile(join(other, 'chapter1.txt'), 'work');
    await expect(writePhantomDataset({ ...options, out: other, force: true })).rejects.toThrow(
      PhantomWriteError,
    );
    expect(await readFile(join(other, 'chapter1.txt'), 'utf8')).toBe('work');
    expect((await readdir(home)).sort()).toEqual(['set', 'thesis']);
  });

  it('accepts an empty directory that exists already', async () => {
    const out = join(home, 'empty');
    await mkdir(out);
    await writePhantomDataset({ ...options, count: 2, out });
    expect(existsSync(join(out, 'train.csv'))).toBe(true);
  });

  it('leaves nothing behind when stopped', async () => {
    const stop = new AbortController();
    const work = writePhantomDataset(
      { ...options, count: 200, out: join(home, 'set'), signal: stop.signal },
      () => stop.abort(new Error('enough')),
    );
    await expect(work).rejects.toThrow('enough');
    expect(await readdir(home)).toEqual([]);
  });

  it('leaves nothing behind when the place cannot be made', async () => {
    await writeFile(join(home, 'file'), '');
    const work = writePhantomDataset({ ...options, out: join(home, 'file', 'set') });
    await expect(work).rejects.toThrow(PhantomWriteError);
    expect(await readdir(home)).toEqual(['file']);
  });

  it('checks every option before it touches the disk', async () => {
    const out = join(home, 'set');
    await expect(writePhantomDataset({ ...options, size: 5, out })).rejects.toThrow(PhantomOptionsError);
    await expect(writePhantomDataset({ ...options, count: -1, out })).rejects.toThrow(PhantomOptionsError);
    expect(await readdir(home)).toEqual([]);
  });

  it('says what a full disk means', () => {
    const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    const explained = explainWriteError(full, '/data/set', 12, 1600);
    expect(explained).toBeInstanceOf(PhantomWriteError);
    expect(String(explained)).toMatch(/disk is full.*\/data\/set, after 12 of 1600 images/);
    const bug = new TypeError('a bug');
    expect(explainWriteError(bug, '/data/set', 0, 0)).toBe(bug);
  });
});

describe('drawContactSheet', () => {
  it('has a labelled tile for each finding', async () => {
    const size = 48;
    const { width, height, depth } = await sharp(drawContactSheet({ seed: 1, size })).metadata();
    expect({ width, depth }).toEqual({ width: 6 * (size + 4) + 4, depth: 'uchar' });
    expect(height).toBe(Math.ceil(FINDINGS.length / 6) * (size + 17) + 4);
    const raw = await sharp(drawContactSheet({ seed: 1, size }))
      .toColourspace('b-w')
      .raw()
      .toBuffer();
    // the caption of the first tile: bright dots on the dark frame
    const caption = raw.subarray((4 + size) * width, (4 + size + 13) * width);
    expect(caption.includes(230)).toBe(true);
  });
});
