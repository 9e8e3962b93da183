/** Each finding must change the picture where it should, and nothing may change it that was not asked for. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FINDINGS, type Finding } from '../../src/data/tables/findings.js';
import { drawPhantom, type PhantomOptions } from '../../src/phantom/draw.js';
import { PhantomOptionsError } from '../../src/phantom/errors.js';
import type { View } from '../../src/phantom/patient.js';

const SIZE = 64;
const SEEDS = [3, 14, 15];

/** A part of the image: left, top, right, bottom as shares of width and height. */
type Region = readonly [number, number, number, number];

const LUNGS: Region = [0.08, 0.12, 0.92, 0.85];
const CENTRE: Region = [0.3, 0.05, 0.75, 0.9];
const BASES: Region = [0.05, 0.5, 0.95, 0.95];
const UPPER: Region = [0.1, 0, 0.9, 0.5];

const WHERE: Record<Exclude<Finding, 'Normal'>, Region> = {
  'aortic elongation': CENTRE,
  cardiomegaly: CENTRE,
  'pleural effusion': LUNGS,
  Nodule: LUNGS,
  atelectasis: LUNGS,
  'pleural thickening': LUNGS,
  'aortic atheromatosis': CENTRE,
  'Support Devices': [0, 0, 1, 1],
  'alveolar pattern': LUNGS,
  fracture: LUNGS,
  Hernia: CENTRE,
  Emphysema: LUNGS,
  'azygos lobe': UPPER,
  Hydropneumothorax: LUNGS,
  Kyphosis: [0.2, 0, 0.8, 0.95],
  Mass: LUNGS,
  Pneumothorax: LUNGS,
  'Subcutaneous Emphysema': [0, 0, 1, 1],
  pneumoperitoneo: BASES,
  'vascular hilar enlargement': CENTRE,
  'vertebral degenerative changes': CENTRE,
  'hyperinflated lung': BASES,
  'interstitial pattern': LUNGS,
  'central venous catheter': UPPER,
  hypoexpansion: BASES,
  bronchiectasis: LUNGS,
  'hemidiaphragm elevation': BASES,
  sternotomy: CENTRE,
  'calcified densities': LUNGS,
  Scoliosis: CENTRE,
  Osteopenia: LUNGS,
  Bulla: UPPER,
  Infarction: BASES,
  Adenopathy: CENTRE,
  goiter: UPPER,
};

function meanIn(pixels: Uint16Array, size: number, [left, top, right, bottom]: Region): number {
  let sum = 0;
  let count = 0;
  for (let y = Math.floor(top * size); y < bottom * size; y++) {
    for (let x = Math.floor(left * size); x < right * size; x++) {
      sum += pixels[y * size + x]!;
      count++;
    }
  }
  return sum / count / 65535;
}

/** Root mean square difference within a region, as a share of white. */
function change(a: Uint16Array, b: Uint16Array, size: number, region: Region): number {
  let sum = 0;
  let count = 0;
  const [left, top, right, bottom] = region;
  for (let y = Math.floor(top * size); y < bottom * size; y++) {
    for (let x = Math.floor(left * size); x < right * size; x++) {
      const d = (a[y * size + x]! - b[y * size + x]!) / 65535;
      sum += d * d;
      count++;
    }
  }
  return Math.sqrt(sum / count);
}

const draw = (options: PhantomOptions) => drawPhantom({ size: SIZE, ...options }).pixels;
/** The same images without findings, drawn once. */
const PLAIN = new Map(SEEDS.map((seed) => [seed, draw({ seed })]));
const plainOf = (seed: number) => PLAIN.get(seed)!;
const digest = (pixels: Uint16Array) => createHash('sha256').update(pixels).digest('hex');

describe('drawPhantom', () => {
  it('is a function of its options: the same bytes again, whatever was drawn in between', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 31 }),
        fc.subarray([...FINDINGS], { maxLength: 4 }),
        fc.constantFrom<View>('PA', 'AP', 'lateral'),
        (seed, findings, view) => {
          const options = { seed, findings, view, size: 32 };
          const first = digest(drawPhantom(options).pixels);
          drawPhantom({ seed: seed + 1, size: 32, findings: ['Mass'] });
          expect(digest(drawPhantom(options).pixels)).toBe(first);
        },
      ),
      { numRuns: 8 },
    );
  });

  it('looks like a chest: dark lungs between a bright mediastinum and bright abdomen, on every seed', () => {
    for (const seed of SEEDS) {
      const pixels = draw({ seed });
      const rightLung = meanIn(pixels, SIZE, [0.22, 0.3, 0.36, 0.55]);
      const leftLung = meanIn(pixels, SIZE, [0.66, 0.3, 0.78, 0.55]);
      const spine = meanIn(pixels, SIZE, [0.46, 0.4, 0.54, 0.7]);
      const abdomen = meanIn(pixels, SIZE, [0.2, 0.86, 0.45, 0.95]);
      expect(Math.max(rightLung, leftLung)).toBeLessThan(0.55);
      expect(spine).toBeGreaterThan(Math.max(rightLung, leftLung) + 0.2);
      expect(abdomen).toBeGreaterThan(Math.max(rightLung, leftLung) + 0.2);
    }
  });

  it('uses the range of 16 bits', () => {
    const pixels = draw({ seed: 1 });
    expect(Math.max(...pixels)).toBeGreaterThan(50_000);
    expect(new Set(pixels).size).toBeGreaterThan(1000);
  });

  it.each(Object.entries(WHERE) as [Finding, Region][])('%s changes its region', (name, region) => {
    const changes = SEEDS.map((seed) =>
      change(plainOf(seed), draw({ seed, findings: [name] }), SIZE, region),
    );
    const strongest = Math.max(...changes);
    expect(strongest).toBeGreaterThan(0.006);
    expect(changes.filter((one) => one > 0.001).length).toBe(SEEDS.length);
  });

  it.each(['Nodule', 'Mass', 'calcified densities', 'azygos lobe'] as const)(
    '%s is a local change',
    (name) => {
      for (const seed of SEEDS) {
        const plain = plainOf(seed);
        const marked = draw({ seed, findings: [name] });
        const touched = plain.filter((value, i) => Math.abs(value - marked[i]!) > 0.02 * 65535).length;
        expect(touched).toBeGreaterThan(0);
        expect(touched).toBeLessThan(0.2 * SIZE * SIZE);
      }
    },
  );

  it('draws nothing for Normal', () => {
    expect(digest(draw({ seed: 5, findings: ['Normal'] }))).toBe(digest(draw({ seed: 5 })));
  });

  it('makes air dark and fluid bright', () => {
    for (const seed of SEEDS) {
      const base: Region = [0.1, 0.55, 0.9, 0.8];
      const plain = meanIn(plainOf(seed), SIZE, base);
      expect(meanIn(draw({ seed, findings: ['hypoexpansion'] }), SIZE, base)).toBeGreaterThan(plain);
      expect(meanIn(draw({ seed, findings: ['pneumoperitoneo'] }), SIZE, [0.1, 0.7, 0.9, 0.9])).toBeLessThan(
        meanIn(plainOf(seed), SIZE, [0.1, 0.7, 0.9, 0.9]),
      );
      expect(meanIn(draw({ seed, findings: ['hemidiaphragm elevation'] }), SIZE, base)).toBeGreaterThan(
        plain,
      );
    }
  });

  it('shows the same person at another visit, and another person for another patient', () => {
    const visits = [21, 22, 23].map((seed) => draw({ seed, patientSeed: 9 }));
    const strangers = [31, 32, 33].map((seed) => draw({ seed, patientSeed: seed }));
    const spread = (list: Uint16Array[]) =>
      change(list[0]!, list[1]!, SIZE, LUNGS) + change(list[1]!, list[2]!, SIZE, LUNGS);
    expect(spread(visits)).toBeGreaterThan(0);
    expect(digest(visits[0]!)).not.toBe(digest(visits[1]!));
    expect(digest(strangers[0]!)).not.toBe(digest(visits[0]!));
  });

  it('keeps the drawing in place when the size changes', () => {
    const small = draw({ seed: 8, size: 32, findings: ['Mass'] });
    const large = draw({ seed: 8, size: 128, findings: ['Mass'] });
    let sum = 0;
    for (let y = 0; y < 32; y++) {
      for (let x = 0; x < 32; x++) {
        let mean = 0;
        for (let k = 0; k < 16; k++) mean += large[(4 * y + (k >> 2)) * 128 + 4 * x + (k & 3)]! / 16;
        sum += Math.abs(mean - small[32 * y + x]!) / 65535;
      }
    }
    expect(sum / 1024).toBeLessThan(0.02);
  });

  it.each(['PA', 'AP', 'lateral'] as const)(
    'draws every finding in the %s view with finite values',
    (view) => {
      for (const name of FINDINGS) {
        const pixels = drawPhantom({ seed: 2, size: 24, findings: [name], view }).pixels;
        expect(Math.max(...pixels)).toBeGreaterThan(Math.min(...pixels) + 20_000);
      }
    },
  );

  it.each([15, 2049, 64.5, Number.NaN])('refuses a size of %s', (size) => {
    expect(() => drawPhantom({ seed: 1, size })).toThrow(PhantomOptionsError);
  });
});
