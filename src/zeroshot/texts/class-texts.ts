import type { Device } from '../../engine/device.js';
import { isHubAddress } from '../../hub/hub-address.js';
import type { HubOptions } from '../../hub/hub-settings.js';
import type { ClassPrompts } from '../../models/heads/head.js';
import { createClip } from '../clip.js';
import type { PromptSet } from '../prompts.js';
import { unitRows } from '../scoring/vectors.js';
import { lookUpTexts, readTextTable, type TextTable } from './text-table.js';

/** What a head that compares images with texts is given of the texts. */

/** All prompts of each class, whatever their group. */
export function promptsOfClasses({ classes }: PromptSet, names: readonly string[]): ClassPrompts {
  return names.map((name) => {
    const own = classes.get(name);
    if (!own) throw new RangeError(`there are no prompts for ${name}`);
    return [...own.groups.values()].flat();
  });
}

/**
 * Embeddings of texts by a frozen encoder.
 * @param source a CLIP (a folder, or `hf-hub:owner/name`), or a file of embeddings (`.safetensors`)
 * @throws ClipError where the source is neither, or lacks a text; as `createClip`
 */
export async function embedByFrozen(
  device: Device,
  source: string,
  texts: readonly string[],
  hub?: HubOptions,
): Promise<TextTable> {
  if (!isHubAddress(source) && source.endsWith('.safetensors')) {
    const table = await readTextTable(source);
    return { width: table.width, texts, embeddings: lookUpTexts(table, texts, source) };
  }
  const clip = await createClip(device, { weights: source, ...(hub && { hub }) });
  try {
    return { width: clip.width, texts, embeddings: await clip.encodeTexts(texts) };
  } finally {
    await clip.destroy();
  }
}

/**
 * For each class the mean of its prompts' directions.
 * @returns [width, classes], as a projection head holds them
 */
export function meanDirections(table: TextTable, prompts: ClassPrompts, place: string): Float32Array {
  const { width } = table;
  const columns = new Float32Array(width * prompts.length);
  for (const [c, own] of prompts.entries()) {
    const rows = unitRows(lookUpTexts(table, own, place), width, `${place}, prompt`);
    for (const [i, value] of rows.entries()) {
      const at = (i % width) * prompts.length + c;
      columns[at] = (columns[at] ?? 0) + value / own.length;
    }
  }
  return columns;
}
