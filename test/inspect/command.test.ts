import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, expect, test, vi } from 'vitest';
import { png8, wavyPicture } from '../data/images/pictures.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { writePlantedData } from './planted-data.js';

afterEach(() => {
  vi.restoreAllMocks();
  vi.resetModules();
  process.exitCode = undefined;
});

/** Runs the command in this process, as `node dist/cli/inspect.js ...words` would. */
async function command(...words: string[]): Promise<{ printed: string; code: number }> {
  let printed = '';
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      printed += text;
      return true;
    });
  }
  const argv = process.argv;
  process.argv = ['node', 'inspect.js', ...words];
  try {
    await import('../../src/cli/inspect.js');
  } finally {
    process.argv = argv;
  }
  return { printed, code: Number(process.exitCode ?? 0) };
}

test('draws a sheet of pictures before and after the changes of the augmentation', async () => {
  const folder = await writePlantedData(await temporaryFolder());
  const sheet = join(folder, 'sheet.png');
  const off = 'affine: false, clahe: false, brightnessContrast: false, noise: false';
  const settings = [
    'augment={flip: {p: 0.5}, dropout: {p: 0.5}, '.concat(off, '}'),
    'preprocessing.size=[40, 44]',
  ];
  const { printed, code } = await command(
    folder,
    '--no-pictures',
    '--augment',
    sheet,
    ...settings.flatMap((setting) => ['--set', setting]),
  );
  expect(code, printed).toBe(0);
  expect(printed).toContain(`written    ${sheet}`);
  const { data, info } = await sharp(sheet).raw().toBuffer({ resolveWithObject: true });
  // before, flip, dropout, all at once, in training: with gaps of 4 pixels, and room for captions
  expect([info.width, info.height]).toEqual([5 * 48 + 4, 5 * 57 + 4]);
  const cell = (row: number, column: number) =>
    Array.from({ length: 40 * 44 }, (_, i) => {
      const [y, x] = [4 + row * 57 + Math.floor(i / 44), 4 + column * 48 + (i % 44)];
      return data[(y * info.width + x) * info.channels]!;
    });
  for (let row = 0; row < 5; row++) {
    const before = cell(row, 0);
    expect(new Set(before).size).toBeGreaterThan(20);
    const mirrored = before.map((_, i) => before[i - (i % 44) + 43 - (i % 44)]);
    expect(cell(row, 1)).toEqual(mirrored);
    // black where there are holes, and as before elsewhere
    const holed = cell(row, 2);
    expect(holed).not.toEqual(before);
    expect(holed.every((value, i) => value === 0 || value === before[i])).toBe(true);
  }
});

test('looks at data as a stage of a recipe does: as the last, if none is named', async () => {
  const folder = await writePlantedData(await temporaryFolder());
  const recipe = join(folder, 'staged.yaml');
  await writeFile(
    recipe,
    'data: {classes: [Normal, Hernia]}\nstages: [{name: first, data: {classes: [Effusion]}}, {head: reset}]\n',
  );
  const seen = async (...words: string[]) => {
    vi.resetModules();
    vi.restoreAllMocks();
    return (await command(folder, '--no-pictures', '--recipe', recipe, '--json', ...words)).printed;
  };
  const classes = (json: string) => JSON.parse(json).classes.map(({ name }: { name: string }) => name);
  expect(classes(await seen()).sort()).toEqual(['Hernia', 'Normal']);
  expect(classes(await seen('--stage', 'first'))).toEqual(['Effusion']);
  expect(classes(await seen('--stage', '2')).sort()).toEqual(['Hernia', 'Normal']);
  expect(await seen('--stage', '3')).toContain('the recipe has no stage 3; there are 1 (first), 2.');
});

test('has nothing to draw where the recipe changes no picture', async () => {
  const folder = await writePlantedData(await temporaryFolder());
  const sheet = join(folder, 'sheet.png');
  const { printed, code } = await command(
    folder,
    '--no-pictures',
    '--augment',
    sheet,
    '--set',
    'augment=false',
  );
  expect(code).toBe(2);
  expect(printed).toContain('the recipe has augment: false: there is nothing to draw.');
});

test('prints and writes a page that needs nothing else, the same each time', async () => {
  const folder = await writePlantedData(await temporaryFolder());
  const page = join(folder, 'page.html');
  const { printed, code } = await command(folder, '--sampler', 'class-aware', '--html', page);
  expect(code, printed).toBe(0);
  expect(printed).toContain('SERIOUS');
  expect(printed).toContain(`written    ${page}`);
  const text = await readFile(page, 'utf8');
  expect(text).toContain("default-src 'none'");
  expect(text).not.toMatch(/(?:src|href)="(?!data:|#)/);
  for (const heading of [
    'Findings, worst first',
    'The long tail, class by class',
    'The classes under each sampler',
    'Which findings come together',
    'Parts',
    'Pictures',
    'Copies (2)',
  ]) {
    expect(text).toContain(`<h3>${heading}</h3>`);
  }
  // two pictures of each group of copies
  expect(text.match(/<img src="data:image\/jpeg/g)).toHaveLength(4);
  vi.resetModules();
  await command(folder, '--sampler', 'class-aware', '--html', page);
  expect(await readFile(page, 'utf8')).toBe(text);
});

test('names from the table are text, not markup', async () => {
  const rows = Array.from({ length: 30 }, (_, i) => `"<i>${i}.png",p${i},${i % 2},${i % 3 === 0 ? 1 : 0}`);
  const folder = await temporaryFolder({
    'a.csv': `ImageID,PatientID,"<script>alert(1)</script>",Mass\n${rows.join('\n')}\n`,
  });
  const page = join(folder, 'page.html');
  const { code, printed } = await command(join(folder, 'a.csv'), '--html', page);
  expect(code, printed).toBe(0);
  const text = await readFile(page, 'utf8');
  expect(text).toContain('&lt;script&gt;');
  expect(text).not.toMatch(/<script|<i>\d/);
});

test('control and bidirectional characters are shown by their numbers, on the terminal and in the page', async () => {
  const rows = Array.from({ length: 30 }, (_, i) => `${i}.png,p${i},${i % 2},${i % 3 === 0 ? 1 : 0}`);
  const folder = await temporaryFolder({
    'a.csv': `ImageID,PatientID,"\x1b[2J\u202eMass","a\u0085\u2067b"\n${rows.join('\n')}\n`,
  });
  const page = join(folder, 'page.html');
  const { code, printed } = await command(join(folder, 'a.csv'), '--html', page);
  expect(code, printed).toBe(0);
  for (const text of [printed, await readFile(page, 'utf8')]) {
    expect(text).toContain('\\u001b[2J\\u202eMass');
    expect(text).toContain('a\\u0085\\u2067b');
    expect(text).not.toMatch(/(?![\n\t\r])\p{Cc}|\p{Bidi_Control}/u);
  }
  vi.resetModules();
  const failed = await command(join(folder, '\x1b[2Jno.csv'));
  expect(failed.printed).toContain('error: ');
  expect(failed.printed).toContain('\\u001b[2Jno.csv: no such file');
});

test('--json has every fact, and nothing else is printed', async () => {
  const folder = await writePlantedData(await temporaryFolder());
  const { printed, code } = await command(folder, '--json', '--no-pictures');
  expect(code).toBe(0);
  const facts = JSON.parse(printed);
  expect(facts.pictures).toBeNull();
  expect(facts.together.images.pairs).toHaveLength(16);
  expect(facts.patientIds[0]).toMatchObject({ column: 'PatientID', missing: 1 });
  expect(facts.findings.length).toBeGreaterThan(5);
});

test('pictures in another folder', async () => {
  const pictures = await temporaryFolder({ '0.png': await png8(wavyPicture(1, 20), 20, 20) });
  const folder = await temporaryFolder({ 'a.csv': 'ImageID,PatientID,Mass\n0.png,p,1\n1.png,q,0\n' });
  const { printed } = await command(join(folder, 'a.csv'), '--images', pictures);
  expect(printed).toMatch(/1 of 2 are readable/);
});

test.each([
  [['/nowhere.csv'], /error: \/nowhere\.csv: no such file/],
  [['.', '--sampler', 'class-awre'], /there is no sampler "class-awre"; did you mean "class-aware"\?/],
  [['.', '--recipe', '/nowhere.yaml'], /there is no such recipe/],
  [[], /missing required argument 'data'/],
])('%j is refused', async (words, message) => {
  const { printed, code } = await command(...words);
  expect(printed).toMatch(message);
  expect(code).toBe(2);
});
