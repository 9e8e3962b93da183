import { ModelError } from '../model-error.js';
import { csra } from './csra.js';
import { csraOriginal } from './csra-original.js';
import type { BoundHead, Head } from './head.js';
import { linear } from './linear.js';
import { mlDecoder } from './ml-decoder.js';
import { projection } from './projection.js';

/** The heads that recipes can name. */
export const HEADS: readonly Head[] = [linear, csra, csraOriginal, mlDecoder, projection];

/** A head by its name, or with options beside it, such as `{ name: 'csra', lambda: 0.2 }`. */
export type HeadChoice = string | ({ readonly name: string } & Readonly<Record<string, unknown>>);

/** @throws ModelError naming the head or the option that is not known or out of range */
export function bindHead(choice: HeadChoice): BoundHead {
  const { name, ...options } = typeof choice === 'string' ? { name: choice } : choice;
  const head = HEADS.find((candidate) => candidate.name === name);
  if (!head) {
    throw new ModelError(
      `there is no head "${name}"; there are ${HEADS.map((known) => known.name).join(', ')}`,
    );
  }
  return head.bind(options);
}
