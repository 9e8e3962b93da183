import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Random } from '../../../src/engine/random.js';
import { parseRecipe } from '../../../src/recipe/recipe.js';
import type { Recipe } from '../../../src/recipe/recipe-schema.js';
import { stageRecipes } from '../../../src/recipe/recipe-stages.js';
import type { PreparedRun } from '../../../src/train/run/prepare-run.js';
import { planStages } from '../../../src/train/run/stage-plan.js';
import type { TrainingData } from '../../../src/train/run/training-data.js';
import { png16 } from '../../data/images/pictures.js';

/**
 * A data set that a tiny network learns: the first class is in the left half, the second in the lines, a third in the
 * frame.
 */
export async function writeTinyDataset(
  folder: string,
  count = 24,
  classes: readonly string[] = ['bright', 'striped'],
): Promise<string> {
  await mkdir(join(folder, 'images'), { recursive: true });
  const lines = [['ImageID', 'PatientID', ...classes].join()];
  for (let i = 0; i < count; i++) {
    const random = new Random(1, 'tiny', i);
    const bright = i % 2;
    const striped = (i >> 1) % 2;
    const framed = classes.length > 2 ? (i >> 2) % 2 : 0;
    const pixels = new Uint16Array(16 * 16);
    for (let at = 0; at < pixels.length; at++) {
      const [y, x] = [at >> 4, at & 15];
      const edge = Math.min(x, y, 15 - x, 15 - y) === 0;
      const value =
        0.3 +
        0.1 * random.uniform() +
        (x < 8 ? 0.3 * bright : 0) +
        (y % 4 < 2 ? 0.2 * striped : 0) +
        (edge ? 0.3 * framed : 0);
      pixels[at] = Math.round(value * 65535);
    }
    await writeFile(join(folder, 'images', `${i}.png`), await png16(pixels, 16, 16));
    const labels = [bright, i % 5 === 4 ? '' : striped, framed].slice(0, classes.length);
    lines.push([`${i}.png`, `p${i >> 1}`, ...labels].join());
  }
  await writeFile(join(folder, 'train.csv'), `${lines.join('\n')}\n`);
  return folder;
}

export const TINY_RECIPE = `
preprocessing: {size: [16, 16]}
model: {arch: resnet10, stem: small-stride2, width: 4, dropRate: 0.1}
data: {validationFraction: 0.25}
batchSize: 4
schedule: {epochs: 3, warmupSteps: 2}
optimizer: {lr: 0.01}
logEvery: 2
`;

export function tinyRecipe(...overrides: string[]): Recipe {
  return parseRecipe(TINY_RECIPE, { path: 'tiny.yaml', overrides });
}

/** What `prepareRun` gives, where recipe, data and directory are at hand. */
export function prepared({
  resume = false,
  data,
  ...given
}: Pick<PreparedRun, 'recipe' | 'run'> & {
  /** Of all stages. */
  data: TrainingData;
  resume?: boolean | undefined;
}): PreparedRun {
  const { recipe } = given;
  const stages = planStages(recipe, { data: stageRecipes(recipe).map(() => data) });
  return { ...given, resume, notes: [], stages, digest: data.digest };
}
