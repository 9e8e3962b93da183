import { type PromptSet, textsOf } from '../prompts.js';
import { lookUpTexts } from '../texts/text-table.js';
import { ScoringError } from './scoring-error.js';
import { dot, unitRows } from './vectors.js';

/** Prompts as points of the space that text and image towers share, and where each class's prompts lie among them. */

/** Embeddings of the prompts of one class, a row of `width` numbers each. */
export interface ClassEmbeddings {
  /** [prompts of the group, width] by the group's name; no group is empty. */
  readonly groups: ReadonlyMap<string, Float32Array>;
  /** [k, width]: what an image without the finding shows. */
  readonly negative?: Float32Array | undefined;
  /** [k, width]: what says nothing about the finding. */
  readonly neutral?: Float32Array | undefined;
}

export interface TextEmbeddings {
  readonly width: number;
  /** Of all classes that take part, scored or not, by their names. */
  readonly classes: ReadonlyMap<string, ClassEmbeddings>;
  /** [k, width]: what says nothing about any finding. */
  readonly neutral?: Float32Array | undefined;
  /** Of the groups, for `group-weights`; 1 when absent. */
  readonly groupWeights?: Readonly<Record<string, number>> | undefined;
}

/**
 * Embeds every prompt of a set, each distinct text once.
 * @param encode texts to [texts, width], as a text tower does
 * @throws ScoringError where the encoder gives rows of another width
 */
export async function embedPrompts(
  prompts: PromptSet,
  width: number,
  encode: (texts: readonly string[]) => Promise<Float32Array>,
): Promise<TextEmbeddings> {
  const texts = textsOf(prompts);
  const rows = await encode(texts);
  if (rows.length !== texts.length * width) {
    throw new ScoringError(
      `${texts.length} prompts gave ${rows.length} numbers: expected ${texts.length} × ${width}.`,
    );
  }
  const table = { width, texts, embeddings: rows };
  const embeddings = (wanted: readonly string[]) => lookUpTexts(table, wanted, 'prompts');
  const classes = [...prompts.classes].map(([name, { groups, negative, neutral }]) => {
    const byGroup = [...groups].map(([group, own]) => [group, embeddings(own)] as const);
    const embedded: ClassEmbeddings = {
      groups: new Map(byGroup),
      negative: embeddings(negative),
      neutral: embeddings(neutral),
    };
    return [name, embedded] as const;
  });
  return {
    width,
    classes: new Map(classes),
    neutral: embeddings(prompts.neutral),
    groupWeights: prompts.groupWeights,
  };
}

/** Prompts that are pooled into one number: a stretch of the rows of a `PromptLayout`. */
export interface PromptBlock {
  readonly from: number;
  readonly to: number;
  /** Stretches of the block, counted from its beginning. */
  readonly groups: readonly { readonly name: string; readonly from: number; readonly to: number }[];
  /** Length of the mean of the block's unit embeddings: 1 where all prompts say the same. */
  readonly meanLength: number;
  /** [width]: that mean with length 1. */
  readonly direction: Float64Array;
  /** For messages: `class "goiter"`. */
  readonly place: string;
}

export interface ClassBlocks {
  readonly name: string;
  readonly prompts: PromptBlock;
  readonly negative: PromptBlock | undefined;
  /** The class's own neutral prompts, else those for all. */
  readonly neutral: PromptBlock | undefined;
}

/** All prompts of all classes below each other, with length 1. */
export interface PromptLayout {
  readonly width: number;
  readonly count: number;
  /** [count, width] */
  readonly rows: Float64Array;
  readonly classes: readonly ClassBlocks[];
  readonly groupWeights: Readonly<Record<string, number>>;
}

/** @throws ScoringError naming the class and group that are empty, of another width, or no directions */
export function layOutPrompts({ width, classes, neutral, groupWeights = {} }: TextEmbeddings): PromptLayout {
  if (!(Number.isInteger(width) && width > 0)) {
    throw new ScoringError(`width ${width}: embeddings have a positive number of values.`);
  }
  if (classes.size === 0) throw new ScoringError('there are prompts for no class.');
  const blocks: Float64Array[] = [];
  let count = 0;
  const add = (place: string, parts: Iterable<readonly [string, Float32Array]>): PromptBlock => {
    const groups: { name: string; from: number; to: number }[] = [];
    const from = count;
    for (const [name, values] of parts) {
      const where = name === '' ? place : `${place}, group ${name}`;
      if (values.length === 0) throw new ScoringError(`${where}: has no prompt; leave it out, or write one.`);
      blocks.push(unitRows(values, width, `${where}, prompt`));
      groups.push({ name, from: count - from, to: count - from + values.length / width });
      count += values.length / width;
    }
    if (groups.length === 0) throw new ScoringError(`${place}: has no group of prompts.`);
    return { from, to: count, groups, place, ...meanDirection(blocks.slice(-groups.length), width) };
  };
  const addSome = (place: string, values: Float32Array | undefined) =>
    values !== undefined && values.length > 0 ? add(place, [['', values]]) : undefined;
  const forAll = addSome('neutral prompts', neutral);
  const laidOut = [...classes].map(([name, own]): ClassBlocks => {
    const place = `class "${name}"`;
    return {
      name,
      prompts: add(place, own.groups),
      negative: addSome(`${place}, negative prompts`, own.negative),
      neutral: addSome(`${place}, neutral prompts`, own.neutral) ?? forAll,
    };
  });
  const rows = new Float64Array(count * width);
  let offset = 0;
  for (const block of blocks) {
    rows.set(block, offset);
    offset += block.length;
  }
  return { width, count, rows, classes: laidOut, groupWeights };
}

function meanDirection(blocks: readonly Float64Array[], width: number) {
  const direction = new Float64Array(width);
  let count = 0;
  for (const block of blocks) {
    for (let i = 0; i < block.length; i++)
      direction[i % width] = (direction[i % width] ?? 0) + (block[i] ?? 0);
    count += block.length / width;
  }
  const length = Math.sqrt(dot(direction, direction));
  return { meanLength: length / count, direction: length > 0 ? direction.map((v) => v / length) : direction };
}
