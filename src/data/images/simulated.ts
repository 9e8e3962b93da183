import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readRegularText } from '../../storage/regular-file.js';

/**
 * Whether pictures were drawn by `synth`: the folder that it leaves says so in its `dataset.json`.
 * @param path a table or the folder with one
 */
export async function areSimulated(path: string): Promise<boolean> {
  const folder = (await stat(path).catch(() => null))?.isFile() ? dirname(path) : path;
  const text = await readRegularText(join(folder, 'dataset.json')).catch(() => '');
  return /"generator":\s*"tailray synth"/.test(text);
}
