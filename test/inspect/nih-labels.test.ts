import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { inspectData } from '../../src/inspect/inspect-data.js';
import { parseRecipe } from '../../src/recipe/recipe.js';
import { missingSharedData, sharedData } from '../data/shared-data.js';

const file = 'nih112k-labels.csv.gz';

describe.skipIf(missingSharedData(file))(file, () => {
  test('parts, classes, patients and pairs are those of the file', async () => {
    const path = join(sharedData, file);
    const recipe = parseRecipe('', { path: 'r.yaml', overrides: ['sampler={name: square-root}'] });
    const { parts, classes, leaks, together, findings } = await inspectData(path, recipe);

    const [header = '', ...lines] = gunzipSync(readFileSync(path)).toString('utf8').trim().split('\n');
    const names = header.trim().split(',').slice(3);
    const rows = lines.map((line) => line.trim().split(','));
    expect(classes.map(({ name }) => name)).toEqual(names);
    for (const [part, name] of [
      ['train', 'train'],
      ['validation', 'val'],
      ['test', 'test'],
    ]) {
      const own = rows.filter((row) => row[2] === name);
      const facts = parts.find((each) => each.name === part)!;
      expect(facts.images).toBe(own.length);
      expect(facts.patients).toBe(new Set(own.map((row) => row[1])).size);
      expect(facts.withoutPositives).toBe(own.filter((row) => !row.slice(3).includes('1')).length);
      for (const [c, counts] of facts.classes.entries()) {
        const positive = own.filter((row) => row[3 + c] === '1');
        expect(counts).toEqual({
          positives: positive.length,
          known: own.length,
          patients: new Set(positive.map((row) => row[1])).size,
        });
      }
    }
    const train = rows.filter((row) => row[2] === 'train');
    const [hernia, mass] = [names.indexOf('Hernia'), names.indexOf('Mass')];
    expect(together?.images.pairs[hernia * names.length + mass]).toBe(
      train.filter((row) => row[3 + hernia] === '1' && row[3 + mass] === '1').length,
    );
    expect(classes[hernia]).toMatchObject({ group: 'tail', prevalence: 144 / 78_468 });
    expect(leaks).toEqual([]);
    expect(findings.filter(({ level }) => level !== 'note')).toEqual([]);
  });
});
