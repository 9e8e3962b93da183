import { z } from 'zod';
import type { HubOptions } from '../hub/hub-settings.js';
import { parseJson } from '../storage/parse-json.js';
import { readWeights } from './checkpoint.js';
import { openWeightSource } from './open-weight-source.js';

/**
 * The classes whose labels a file of weights was trained on, in any stage, where it says so: ours do.
 * @throws CheckpointError, HubError as `weightsFrom`
 */
export async function trainedClasses(source: string, hub?: HubOptions): Promise<readonly string[] | null> {
  const { metadata } = await readWeights(await openWeightSource(source, hub).file());
  const names = (text: string | undefined) => z.array(z.string()).safeParse(parseJson(text)).data;
  const classes = names(metadata.classes);
  return classes === undefined ? null : [...classes, ...(names(metadata.seenBefore) ?? [])];
}
