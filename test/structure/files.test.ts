import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lint, ROOT } from './tools.js';

describe('files', () => {
  it('do not import each other in a circle, types included', async () => {
    const found = await lint(ROOT, '--only=suspicious/noImportCycles', 'src', 'bench', 'test');
    const open = await leftOpen();
    const covered = (path: string) => open.filter((start) => path.startsWith(start));
    expect(found.filter(({ path }) => covered(path).length === 0)).toEqual([]);
    // an exception that covers nothing any more has to go
    expect(new Set(found.flatMap(({ path }) => covered(path)))).toEqual(new Set(open));
  });

  it('lie side by side in folders small enough to be overlooked', async () => {
    for (const { folder, files } of await folders()) {
      expect(files.length, `${folder} has ${files.length} files: give it folders`).toBeLessThanOrEqual(25);
    }
  });

  it('lie at most two folders deep in their room, so that the lint knows which room they are in', async () => {
    const depths = (await folders()).map(({ folder }) => folder.split('/').length);
    expect(Math.max(...depths)).toBeLessThanOrEqual('src/room/one/two'.split('/').length);
  });
});

/** Files and folders in which biome.json puts up with circles. */
async function leftOpen(): Promise<string[]> {
  const { overrides } = JSON.parse(await readFile(join(ROOT, 'biome.json'), 'utf8'));
  return overrides.flatMap(({ includes, linter }: { includes: string[]; linter?: object }) =>
    JSON.stringify(linter ?? {}).includes('"noImportCycles":"off"')
      ? includes.map((glob) => glob.replace('**', ''))
      : [],
  );
}

async function folders(): Promise<{ folder: string; files: string[] }[]> {
  const byFolder = new Map<string, string[]>();
  for (const path of await readdir(join(ROOT, 'src'), { recursive: true })) {
    if (!/\.\w+$/.test(path)) continue;
    const folder = join('src', dirname(path)).replaceAll('\\', '/');
    byFolder.set(folder, [...(byFolder.get(folder) ?? []), path]);
  }
  return [...byFolder].map(([folder, files]) => ({ folder, files }));
}
