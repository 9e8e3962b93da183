import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeAtomically } from '../storage/atomic-file.js';
import { visibleText } from '../storage/visible-text.js';
import { type CardFacts, readCardFacts } from './card/card-facts.js';
import { dataSection } from './card/data.js';
import { frontMatter } from './card/front-matter.js';
import { introduction } from './card/introduction.js';
import { limits } from './card/limits.js';
import { resultsSection } from './card/results.js';
import { trainingSection } from './card/training.js';
import { usage } from './card/usage.js';
import type { ExaminedRun, ExamineOptions } from './examine-run.js';

/**
 * A model card (Mitchell et al., arXiv 1810.03993) in the form of Hugging Face's hub: what a model is, what it was made
 * of, how good it is and for whom not. Every number is the run's own; unknown facts are said to be missing.
 */
export interface CardOptions extends ExamineOptions {
  /** Folder to write to; default: the checkpoint's own. */
  readonly out?: string | undefined;
  /** Of the weights, as the hub names licences. */
  readonly license?: string | undefined;
  /** Replace a card that says something else; people write into theirs. */
  readonly force?: boolean | undefined;
}

export interface CardOutcome {
  readonly path: string;
  /** False where another card was there, and was left alone. */
  readonly written: boolean;
  /** The run that it tells of, measured; null for a checkpoint without its run directory. */
  readonly run: ExaminedRun | null;
}

export const CARD_NAME = 'model-card.md';

/**
 * Writes the card of a checkpoint; that of a run's best one tells of the whole run.
 * @throws CheckpointError; ReportError when a file of the run can't be understood; StorageError
 */
export async function writeModelCard(checkpoint: string, options: CardOptions = {}): Promise<CardOutcome> {
  const path = join(options.out ?? dirname(checkpoint), CARD_NAME);
  const facts = await readCardFacts(checkpoint, options);
  const { run } = facts;
  const text = modelCard(facts, options.license);
  const there = await readFile(path, 'utf8').catch(() => null);
  if (there !== null && there !== text && !options.force) return { path, written: false, run };
  await mkdir(dirname(path), { recursive: true });
  await writeAtomically(path, text);
  return { path, written: true, run };
}

/** The text of the card; the same facts give the same text. @param license default: `unknown` */
export function modelCard(facts: CardFacts, license = 'unknown'): string {
  const sections = [
    frontMatter(facts, license),
    introduction(facts),
    limits(facts),
    resultsSection(facts),
    dataSection(facts),
    usage(facts),
    trainingSection(facts),
  ];
  return visibleText(`${sections.join('\n\n')}\n`);
}
