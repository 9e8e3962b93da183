import { access, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TINY_RECIPE, writeTinyDataset } from '../train/run/tiny-run.js';
import { buildCommands, type Commands } from './commands.js';

/** Every kind of picture that cannot be used, in one data set, through the commands that a person runs. */
let commands: Commands;
let folder: string;
let data: string;
let recipe: string;

const BAD = [
  'missing.png',
  'cut.png',
  'text.png',
  'empty.png',
  'dot.png',
  'huge.png',
  '../../../../etc/passwd',
];

beforeAll(async () => {
  commands = await buildCommands();
  folder = await mkdtemp(join(tmpdir(), 'tailray-bad-images-'));
  recipe = join(folder, 'tiny.yaml');
  await writeFile(recipe, TINY_RECIPE.replace('epochs: 3', 'epochs: 1'));
  data = await writeTinyDataset(join(folder, 'data'));
  const images = join(data, 'images');
  await writeFile(join(images, 'cut.png'), await readFile(join(images, '0.png')));
  await truncate(join(images, 'cut.png'), 150);
  const torn = await readFile(join(images, '0.png'));
  torn[torn.length - 13]! ^= 1; // of the checksum of its pixels
  await writeFile(join(images, 'torn.png'), torn);
  await writeFile(join(images, 'text.png'), 'not a picture');
  await writeFile(join(images, 'empty.png'), '');
  await writeFile(join(images, 'dot.png'), greyPng(1, 1));
  await writeFile(join(images, 'huge.png'), greyPng(20_000, 20_000));
  const table = await readFile(join(data, 'train.csv'), 'utf8');
  // with a byte-order mark, CRLF and quoted fields, as spreadsheets write them
  const rows = `${table.trim()}\n${BAD.map((name, i) => `"${name}","p,${i}",1,0`).join('\n')}\n`;
  await writeFile(join(data, 'train.csv'), `\uFEFF${rows.replaceAll('\n', '\r\n')}`);
});

afterAll(async () => {
  await commands.remove();
  await rm(folder, { recursive: true, force: true });
});

describe('pictures that cannot be used', () => {
  test('train lists them with reasons, leaves them out, and keeps a row for each; --strict refuses', async () => {
    const out = join(folder, 'run');
    const words = ['--recipe', recipe, '--data', data, '--set', 'data.validationFraction=0.4', '--out', out];
    const strict = await commands.run('train', [...words, '--strict']);
    expect(strict.code).toBe(2);
    await expect(access(out)).rejects.toThrow();

    const { code, stdout, stderr } = await commands.run('train', words);
    expect(code, stderr).toBe(0);
    expect(strict.stderr).toMatch(/images can't be used[\s\S]*huge\.png: is 20000 × 20000 pixels/);
    expect(stdout).toContain("7 of 31 images can't be used");
    for (const name of BAD) expect(stdout).toContain(name);
    const predictions = await commands.run('predict', [
      ...[join(out, 'best.safetensors'), join(data, 'train.csv')],
      ...['--images', join(data, 'images'), '--out', join(folder, 'predictions.csv')],
    ]);
    expect(predictions.code, predictions.stderr).toBe(0);
    const lines = (await readFile(join(folder, 'predictions.csv'), 'utf8')).trim().split('\n');
    expect(lines).toHaveLength(1 + 31);
    for (const name of BAD) expect(lines.filter((line) => line.includes(name))).toHaveLength(1);
    // a damaged one has scores and a note where that is asked for; the others stay what they are
    await writeFile(join(folder, 'some.csv'), 'image\ntorn.png\ncut.png\ntext.png\n');
    const lenient = await commands.run('predict', [
      ...[join(out, 'best.safetensors'), join(folder, 'some.csv'), '--lenient'],
      ...['--images', join(data, 'images'), '--out', join(folder, 'lenient.csv')],
    ]);
    expect(lenient.stdout).toMatch(
      /2 of 3 images can't be used[\s\S]*1 image is damaged and used as far as possible/,
    );
    const [, torn, cut, text] = (await readFile(join(folder, 'lenient.csv'), 'utf8')).split('\n');
    expect(torn).toMatch(
      /^torn\.png,[\d.e-]+,[\d.e-]+,,"?used in part: the PNG is damaged \(the checksum of the IDAT chunk at byte \d+/,
    );
    expect(cut).toMatch(/^cut\.png,,,,.*nothing of it can be decoded: the PNG stops after 150 bytes/);
    expect(text).toMatch(/^text\.png,,,,.*notAnImage/);
    // an image that cannot be read has a note and no probabilities, never those of a black picture
    expect(lines.find((line) => line.startsWith('huge.png'))).toMatch(/^huge\.png,,,.*20000/);
  });
});

/** A grey PNG of one value: zeros compress to almost nothing, so a file of kilobytes claims 400 million pixels. */
function greyPng(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.writeUInt8(8, 8);
  const chunk = (type: string, content: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), content]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(content.length);
    const check = Buffer.alloc(4);
    check.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, check]);
  };
  const pixels = deflateSync(Buffer.alloc(Math.min((width + 1) * height, 1 << 20)));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', pixels),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** The check sum of a PNG chunk; node has it from 20.15 on only. */
function crc32(bytes: Buffer): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  }
  return ~sum >>> 0;
}
