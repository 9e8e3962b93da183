import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { png8, wavyPicture } from '../data/images/pictures.js';

/**
 * A data set with one of each thing that an inspection should find. Train has 60 rows, test 20; everything that is not
 * named below is in order: a patient for every two images, a picture for every row, labels in turns.
 */
export async function writePlantedData(folder: string): Promise<string> {
  await mkdir(join(folder, 'images'), { recursive: true });
  const rows = (part: 'train' | 'test', n: number): Row[] =>
    Array.from({ length: n }, (_, i) => ({
      image: `${part}${i}.png`,
      patient: `${part === 'train' ? 'a' : 'b'}${i >> 1}`,
      labels: [i % 3 === 0 ? '1' : '0', i % 3 === 1 ? '1' : '0', i % 12 === 2 ? '1' : '0', '0'],
    }));
  const train = rows('train', 60);
  const test = rows('test', 20);
  for (const [i, row] of [...train, ...test].entries()) {
    await writeFile(join(folder, 'images', row.image), await png8(wavyPicture(i, 40), 40, 40));
  }
  const at = (list: Row[], i: number) => list[i] as Row;
  const put = (image: string, bytes: Uint8Array | string) => writeFile(join(folder, 'images', image), bytes);

  // two float-mangled identifiers, one patient in two spellings, one without a name
  at(train, 0).patient = '1.90E+38';
  at(train, 1).patient = '1.9e+38';
  at(train, 2).patient = '07';
  at(train, 3).patient = '7';
  at(train, 4).patient = '';
  // a patient on both sides
  at(test, 0).patient = 'a10';
  // the same picture on both sides, and one saved again within train
  await put('test3.png', await png8(wavyPicture(30, 40), 40, 40));
  const again = sharp(wavyPicture(40, 40), { raw: { width: 40, height: 40, channels: 1 } });
  await put('train41.png', await again.linear(0.8, 20).resize(64).toColourspace('b-w').png().toBuffer());
  at(train, 41).labels = [...at(train, 40).labels];
  // no picture, and something else in its place
  at(train, 50).image = 'nowhere.png';
  await put('train51.png', '<html>not found</html>');
  // normal, with a finding; unknown labels; nothing known at all
  at(train, 21).labels = ['1', '1', '0', '0'];
  at(train, 22).labels = ['', '0', '', '0'];
  at(train, 23).labels = ['', '', '', ''];

  const header = 'ImageID,PatientID,Normal,Effusion,Hernia,Goitre';
  const table = (list: readonly Row[]) =>
    `${[header, ...list.map((row) => [row.image, row.patient, ...row.labels].join(','))].join('\n')}\n`;
  await writeFile(join(folder, 'train.csv'), table(train));
  await writeFile(join(folder, 'test.csv'), table(test));
  return folder;
}

interface Row {
  image: string;
  patient: string;
  labels: string[];
}
