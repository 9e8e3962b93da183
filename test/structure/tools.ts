import { execFile } from 'node:child_process';
import { readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../data/temporary-folder.js';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Finding {
  /** Below the folder that was looked at. */
  readonly path: string;
  readonly line: number;
  readonly rule: string;
}

/**
 * Biome's errors and warnings.
 * @param folder where `biome.json` lies
 */
export async function lint(folder: string, ...words: readonly string[]): Promise<Finding[]> {
  const biome = join(ROOT, 'node_modules/@biomejs/biome/bin/biome');
  const { output } = await runTool(folder, [
    biome,
    'lint',
    '--reporter=json',
    '--max-diagnostics=none',
    ...words,
  ]);
  const { diagnostics } = JSON.parse(output) as {
    diagnostics: { category: string; location: { path: string; start: { line: number } } }[];
  };
  return diagnostics.map(({ category, location: { path, start } }) => ({
    path,
    line: start.line,
    rule: category.replace('lint/', ''),
  }));
}

/** The output of TypeScript's compiler, and whether it had nothing to complain about. */
export function compile(
  folder: string,
  ...words: readonly string[]
): Promise<{ ok: boolean; output: string }> {
  return runTool(folder, [join(ROOT, 'node_modules/typescript/bin/tsc'), ...words]);
}

/** A project of the given files under this project's rules. */
export async function plantedProject(files: Readonly<Record<string, string>>): Promise<string> {
  const rules = JSON.parse(await readFile(join(ROOT, 'biome.json'), 'utf8'));
  const folder = await temporaryFolder({
    ...files,
    // a temporary folder is no git repository
    'biome.json': JSON.stringify({ ...rules, vcs: { enabled: false } }),
    'rooms.grit': await readFile(join(ROOT, 'rooms.grit')),
    'tsconfig.json': await readFile(join(ROOT, 'tsconfig.json')),
    'tsconfig.browser.json': await readFile(join(ROOT, 'tsconfig.browser.json')),
    'package.json': '{ "type": "module" }',
  });
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

function runTool(cwd: string, words: readonly string[]): Promise<{ ok: boolean; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...words], { cwd, maxBuffer: 2 ** 26 }, (error, output) => {
      resolve({ ok: error === null, output });
    });
  });
}
