import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDataset } from '../../../../src/data/dataset.js';
import { decodeImageBytes, type GreyImage } from '../../../../src/data/images/decode.js';
import { describePreprocessing } from '../../../../src/data/images/describe-preprocessing.js';
import { prepareGrey, prepareImage } from '../../../../src/data/images/prepare.js';
import { preprocessingSchema } from '../../../../src/data/images/preprocessing.js';
import { describeQuarantine, scanImages } from '../../../../src/data/images/scan.js';
import { predictionRows } from '../../../../src/predict/predict.js';
import { openPredictionSource } from '../../../../src/predict/prediction-source.js';
import { formatPredictions } from '../../../../src/predict/predictions.js';
import { temporaryFolder } from '../../temporary-folder.js';
import { dicomFile, dicomFiles, identifiersIn, refusedDicomFiles } from './dicom-files.js';

const decoded = (file: Buffer, lenient = false) => decodeImageBytes(file, 'a.dcm', { lenient });
const shown = (image: GreyImage, window: object) =>
  prepareGrey(image, preprocessingSchema.parse({ size: [image.height, image.width], window }));

async function refusal(file: Buffer): Promise<{ kind: string; reason: string }> {
  const error = await decoded(file).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: 'ImageError' });
  expect(identifiersIn(error)).toEqual([]);
  return error as { kind: string; reason: string };
}

describe('the values in the file, as pydicom reads them', () => {
  test('in every way of writing them that is read', () => expect(dicomFiles.length).toBeGreaterThan(60));

  test.each(dicomFiles)('$name', async ({ file, height, width, maximum, grey }) => {
    const image = await decoded(file);
    expect([image.height, image.width, image.maximum]).toEqual([height, width, maximum]);
    expect([...image.pixels]).toEqual(grey);
    expect(Object.keys(image).filter((key) => key !== 'window')).toEqual([
      'width',
      'height',
      'maximum',
      'pixels',
    ]);
  });

  test.each(['JPEG-LS, 12 bits', 'JPEG 2000, 12 bits'])(
    '%s: the file’s bytes stay as they are',
    async (name) => {
      // as a file is read: a Buffer with memory of its own
      const file = Buffer.from(new Uint8Array(dicomFile(name)).buffer);
      const images = [await decoded(file), await decoded(file)];
      expect(images[0]).toEqual(images[1]);
      expect(file).toEqual(dicomFile(name));
    },
  );

  test('8 bits in swapped pairs, as big-endian files with words have them', async () => {
    const ds = dicomFile('6 of 8 bits');
    const straight = await decoded(ds);
    // explicit VR, big-endian: the data set's tags and lengths turned round, and its bytes in pairs
    const set = (group: number, element: number, vr: string, value: Buffer) => {
      const long = vr === 'OW';
      const head = Buffer.alloc(long ? 12 : 8);
      head.writeUInt16BE(group, 0);
      head.writeUInt16BE(element, 2);
      head.write(vr, 4, 'latin1');
      if (long) head.writeUInt32BE(value.length, 8);
      else head.writeUInt16BE(value.length, 6);
      return Buffer.concat([head, value]);
    };
    const us = (element: number, value: number) =>
      set(0x28, element, 'US', Buffer.from([value >> 8, value & 255]));
    const pixels = Buffer.from(straight.pixels as Uint8Array);
    const meta = ds.subarray(0, ds.indexOf(Buffer.from('08000500', 'hex')));
    const file = Buffer.concat([
      Buffer.from(
        meta.toString('latin1').replace('1.2.840.10008.1.2.1\0', '1.2.840.10008.1.2.2\0'),
        'latin1',
      ),
      set(0x28, 4, 'CS', Buffer.from('MONOCHROME2 ')),
      us(0x10, straight.height),
      us(0x11, straight.width),
      us(0x100, 8),
      us(0x101, 6),
      us(0x102, 5),
      us(0x103, 0),
      set(0x7fe0, 0x10, 'OW', pixels.swap16()),
    ]);
    expect((await decoded(file)).pixels).toEqual(straight.pixels);
  });

  test('by content, whatever the name, and under a folder', async () => {
    const folder = await temporaryFolder({ 'x.png': dicomFile('12 of 16 bits') });
    const preprocessing = preprocessingSchema.parse({ size: [13, 11] });
    const { grey } = await prepareImage(join(folder, 'x.png'), preprocessing);
    expect(new Set(grey).size).toBeGreaterThan(50);
  });
});

describe('the window', () => {
  test.each(dicomFiles.filter(({ shown }) => shown !== null))(
    '$name, as pydicom applies it',
    async (each) => {
      const values = shown(await decoded(each.file), { kind: 'dicom' });
      expect(each.shown).toHaveLength(values.length);
      // half a step of 16 bits, and what float32 loses
      for (const [i, value] of each.shown!.entries()) {
        expect(Math.abs(values[i]! - value * 65535)).toBeLessThan(0.52);
      }
    },
  );

  test('of a file that gives none is taken from percentiles, as without it', async () => {
    const image = await decoded(dicomFile('12 of 16 bits'));
    const percentiles = { low: 2, high: 90 };
    expect(shown(image, { kind: 'dicom', ...percentiles })).toEqual(
      shown(image, { kind: 'percentile', ...percentiles }),
    );
  });

  test('is told to those who prepare pictures themselves', () => {
    const [, window, percentiles] = describePreprocessing(
      preprocessingSchema.parse({ window: { kind: 'dicom' } }),
    );
    expect(window).toMatch(/by the window that a DICOM file gives/);
    expect(percentiles).toMatch(/0\.5 and 99\.5 percentiles/);
  });

  test('is not looked at unless asked for', async () => {
    const [without, with_] = await Promise.all(
      ['12 of 16 bits', 'window'].map((name) => decoded(dicomFile(name))),
    );
    expect(shown(with_!, { kind: 'percentile' })).toEqual(shown(without!, { kind: 'percentile' }));
    expect(shown(with_!, { kind: 'full' })[5]).toBe(Math.round((with_!.pixels[5]! / 4095) * 65535));
  });
});

test('a folder of them: nobody is named in lists, notes and predictions', async () => {
  const files = [...dicomFiles.slice(0, 5), ...refusedDicomFiles].map(({ file }) => file);
  const named = Object.fromEntries(files.map((file, i) => [`${i}.dcm`, file]));
  const folder = await temporaryFolder({ ...named, '99.dcm': files[0]!.subarray(0, 700) });
  const { table, imageRoot } = await openPredictionSource(folder, { classes: ['Mass'] });
  const preprocessing = preprocessingSchema.parse({ size: [8, 8] });
  const all = openDataset({ table, root: imageRoot, preprocessing });
  const { readable, quarantined, accepted } = await scanImages(all);
  expect([readable.length, quarantined.length]).toEqual([5, refusedDicomFiles.length + 1]);
  const rows = predictionRows({ all, quarantined, accepted }, new Float32Array(readable.length), 1);
  const written = [
    JSON.stringify(table),
    describeQuarantine(quarantined, all.length),
    formatPredictions({ classes: ['Mass'], rows }),
  ];
  expect(written.join('\n')).toMatch(/colour \(RGB\)/);
  expect(identifiersIn(written.join('\n'))).toEqual([]);
});

describe('what is not read is refused by name', () => {
  test.each(refusedDicomFiles)('$reason', async ({ reason: name, file }) => {
    const { kind, reason } = await refusal(file);
    expect([kind, reason]).toEqual(['unreadable', expect.stringContaining(name)]);
  });
});

describe('a damaged file', () => {
  const plain = dicomFile('12 of 16 bits');

  test('cut in its pixels: truncated; lenient takes what is there, the rest being black', async () => {
    const file = plain.subarray(0, -100);
    const whole = await decoded(plain);
    expect(await refusal(file)).toMatchObject({
      kind: 'truncated',
      reason: `the DICOM file stops after ${file.length} bytes, before its end.`,
    });
    const image = await decoded(file, true);
    expect(image.damage).toMatch(/stops after/);
    expect([...image.pixels]).toEqual([...whole.pixels.slice(0, -50), ...new Array(50).fill(0)]);
    const white = await decoded(dicomFile('MONOCHROME1').subarray(0, -100), true);
    expect([...white.pixels.slice(-50)]).toEqual(new Array(50).fill(0));
  });

  test('cut before them', async () => {
    expect(await refusal(plain.subarray(0, 600))).toMatchObject({
      kind: 'truncated',
      reason: 'the DICOM file is damaged or cut short: its 600 bytes end before its pixels.',
    });
  });

  test.each([
    ['RLE, 12 bits', /RLE pixels end too early|stops after/],
    ['JPEG lossless, 12 bits, predictor 4', /end too early/],
    ['JPEG-LS, 12 bits', /JPEG-LS pixels do not decode/],
    ['JPEG 2000, 12 bits', /JPEG 2000 code stream stops after/],
    ['JPEG baseline', /JPEG stops after/],
  ])('%s: its code stream cut, with lengths made good', async (name, message) => {
    const whole = dicomFile(name);
    // item, table of offsets, item: the last item of the file that is none of the icon's
    const item = whole.lastIndexOf(Buffer.from('feff00e0', 'hex'));
    const length = Math.floor(whole.readUInt32LE(item + 4) / 4) * 2;
    const cut = Buffer.concat([whole.subarray(0, item + 8 + length), Buffer.from('feffdde000000000', 'hex')]);
    cut.writeUInt32LE(length, item + 4);
    expect((await refusal(cut)).reason).toMatch(message);
  });

  test.each(['JPEG lossless, 12 bits', 'JPEG-LS, 12 bits', 'JPEG 2000, 12 bits', 'JPEG baseline'])(
    '%s: a code stream of another size is not decoded',
    async (name) => {
      const file = Buffer.from(dicomFile(name));
      const rows = file.indexOf(Buffer.from('280010005553', 'hex')) + 8;
      file.writeUInt16LE(file.readUInt16LE(rows) + 1, rows);
      expect((await refusal(file)).reason).toMatch(/^the DICOM file is damaged \(it says \d+ × \d+/);
    },
  );

  test('a piece of one that starts within a name is not quoted', async () => {
    const at = plain.indexOf('Ztestov');
    const error = await decoded(plain.subarray(at)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: 'notAnImage' });
    expect(identifiersIn(error)).toEqual([]);
    expect((error as Error).message).not.toContain(Buffer.from('Ztest').toString('hex'));
  });
});
