import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * Whether pictures were drawn by `synth`, which the folder that it leaves says itself.
 * @param path a table or the folder with one
 */
export async function areSimulated(path: string): Promise<boolean> {
  const folder = (await stat(path).catch(() => null))?.isFile() ? dirname(path) : path;
  const text = await readFile(join(folder, 'dataset.json'), 'utf8').catch(() => '');
  return /"generator":\s*"tailray synth"/.test(text);
}
