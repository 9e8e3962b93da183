/** Masks must lie where the picture shows the finding, and come out of a data set's description as out of its files. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FINDINGS, type Finding } from '../../src/data/tables/findings.js';
import { samplePhantomCases } from '../../src/phantom/cases.js';
import { writePhantomDataset } from '../../src/phantom/dataset.js';
import { phantomMasks } from '../../src/phantom/dataset-masks.js';
import { drawPhantom, drawPhantomWithMasks } from '../../src/phantom/draw.js';
import { FINDING_RULES } from '../../src/phantom/findings/table.js';

const SIZE = 64;
const SEEDS = [3, 14, 15];
const FOCAL = FINDINGS.filter((name) => FINDING_RULES[name].focal);

const masked = (seed: number, findings: readonly Finding[]) =>
  drawPhantomWithMasks({ seed, size: SIZE, findings });

describe('drawPhantomWithMasks', () => {
  it('draws the same picture as without', () => {
    const findings: Finding[] = ['cardiomegaly', 'Mass', 'fracture', 'pleural effusion'];
    const options = { seed: 5, size: SIZE, findings };
    const { pixels, masks } = drawPhantomWithMasks(options);
    expect(pixels).toEqual(drawPhantom(options).pixels);
    expect([...masks.keys()]).toEqual(['Mass', 'fracture', 'pleural effusion']);
    expect(masked(5, ['Normal', 'Emphysema', 'Scoliosis']).masks.size).toBe(0);
  });

  it('gives the mask of a finding whatever else is in the picture, unless that changes the patient', () => {
    const alone = masked(7, ['Nodule']).masks.get('Nodule');
    expect(
      masked(7, ['calcified densities', 'Nodule', 'central venous catheter']).masks.get('Nodule'),
    ).toEqual(alone);
  });

  it.each(FOCAL)('%s: the picture changes within the mask more than around it', (name) => {
    let [inside, outside, count] = [0, 0, 0];
    for (const seed of SEEDS) {
      const { pixels, masks } = masked(seed, [name]);
      const mask = masks.get(name);
      if (!mask) continue;
      const plain = drawPhantom({ seed, size: SIZE }).pixels;
      const sums = [0, 0];
      const counts = [0, 0];
      for (const [i, within] of mask.entries()) {
        sums[within] = sums[within]! + Math.abs(pixels[i]! - plain[i]!);
        counts[within] = counts[within]! + 1;
      }
      outside += sums[0]! / counts[0]!;
      inside += sums[1]! / counts[1]!;
      expect(counts[1]! / mask.length).toBeLessThan(0.5);
      count++;
    }
    expect(count).toBeGreaterThan(0);
    expect(inside / outside).toBeGreaterThan(2);
  });
});

describe('a data set', () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'tailray-masks-'));
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  const options = { count: 24, seed: 7, size: 32, imbalance: 10, ood: true };

  it('has the masks of what was drawn, in files and drawn again', async () => {
    const out = join(home, 'set');
    await writePhantomDataset({ ...options, out, masks: true });
    const again = (await phantomMasks(out))!;
    const wanted = samplePhantomCases(options).flatMap((one) =>
      Array.from(drawPhantomWithMasks({ ...one, size: 32 }).masks, ([finding, inside]) => ({
        path: join(finding, one.imageId),
        finding,
        image: one.imageId,
        inside,
      })),
    );
    expect(wanted.length).toBeGreaterThan(5);
    const files = await readdir(join(out, 'masks'), { recursive: true });
    expect(files.filter((file) => file.endsWith('.png')).sort()).toEqual(
      wanted.map(({ path }) => path).sort(),
    );
    for (const { path, finding, image, inside } of wanted) {
      const read = await sharp(join(out, 'masks', path))
        .toColourspace('b-w')
        .raw()
        .toBuffer();
      expect(Uint8Array.from(read, (value) => value / 255)).toEqual(inside);
      expect(await again(`images/${image}`, finding)).toEqual({ width: 32, height: 32, inside });
    }
    expect(await again(wanted[0]!.image, 'Normal')).toBeNull();
  });

  it('without masks has the same pictures and tables, and masks when they are asked for', async () => {
    const [plain, with_] = [join(home, 'plain'), join(home, 'masks')];
    await writePhantomDataset({ ...options, out: plain });
    await writePhantomDataset({ ...options, out: with_, masks: true });
    const pictures = await readdir(join(plain, 'images'));
    expect(await readdir(join(with_, 'images'))).toEqual(pictures);
    for (const file of ['train.csv', join('images', pictures[0]!)]) {
      expect(await readFile(join(with_, file))).toEqual(await readFile(join(plain, file)));
    }
    expect(await phantomMasks(plain)).not.toBeNull();
    expect(await phantomMasks(home)).toBeNull();
  });
});
