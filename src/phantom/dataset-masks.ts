import { join } from 'node:path';
import { z } from 'zod';
import { type Finding, isFinding } from '../data/tables/findings.js';
import { parseJson } from '../storage/parse-json.js';
import { readRegularText } from '../storage/regular-file.js';
import { type PhantomCase, samplePhantomCases } from './cases.js';
import { DESCRIPTION_FILE, GENERATOR_VERSION } from './dataset.js';
import { drawPhantomWithMasks } from './draw.js';

/** Masks of a phantom data set that was written without any: what was drawn is drawn again. */

const description = z.object({
  generatorVersion: z.literal(GENERATOR_VERSION),
  options: z.object({
    size: z.int(),
    count: z.int(),
    seed: z.int(),
    imbalance: z.number(),
    laterals: z.number(),
    labelNoise: z.number(),
    unknown: z.number(),
    testFraction: z.number(),
    minPositives: z.int(),
    ood: z.boolean(),
  }),
});

/** Over the whole image: 1 where the finding is. */
export interface FindingMask {
  readonly width: number;
  readonly height: number;
  /** [height, width] */
  readonly inside: Uint8Array;
}

/**
 * The masks of a data set's images; null where the folder holds no phantoms, or those of another version of the generator.
 * @param folder with a `dataset.json`, as `synth` writes it
 * @returns from an image's name and a finding to the mask, null where the finding is not in the image or not focal
 */
export async function phantomMasks(
  folder: string,
): Promise<((image: string, finding: string) => Promise<FindingMask | null>) | null> {
  const text = await readRegularText(join(folder, DESCRIPTION_FILE)).catch(() => '');
  const parsed = description.safeParse(parseJson(text));
  if (!parsed.success) return null;
  const { size, ...options } = parsed.data.options;
  const cases = new Map(samplePhantomCases(options).map((one) => [one.imageId, one]));
  // findings of one image are mostly asked for one after the other
  let last: { readonly one: PhantomCase; readonly masks: ReadonlyMap<Finding, Uint8Array> } | undefined;
  return async (image, finding) => {
    const one = cases.get(image.split('/').at(-1) ?? '');
    if (!one || !isFinding(finding) || !one.findings.includes(finding)) return null;
    if (last?.one !== one) last = { one, masks: drawPhantomWithMasks({ ...one, size }).masks };
    const inside = last.masks.get(finding);
    return inside ? { width: size, height: size, inside } : null;
  };
}
