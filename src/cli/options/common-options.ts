import { Option } from 'commander';
import { EvaluationError } from '../../predict/labelled-scores.js';
import { MERGES } from '../../predict/views/merge.js';
import { VIEW_SETS } from '../../predict/views/views.js';
import { nonNegativeNumber, nonNegativeNumbers, positiveNumber } from './number-option.js';

/** Options that mean the same in several commands: one spelling and one description of each. */

/** @param use what the adapter is for */
export function adapterOption(use = 'GPU to use'): Option {
  return new Option('--adapter <name>', `${use} (default: TAILRAY_ADAPTER, else the best; see devices)`);
}

export function imagesOption(): Option {
  return new Option('--images <dir>', 'image folder (default: the folder of the table)');
}

/** @param preferred the part where none is asked for, in words */
export function partOption(preferred: string): Option {
  return new Option('--part <name>', `part of the data (default: ${preferred})`).choices([
    'train',
    'validation',
    'test',
    'all',
  ]);
}

/** @param target what a setting belongs to @param example of one, `path=value` */
export function setOption(target: string, example: string): Option {
  return new Option('--set <key=value>', `change one setting of ${target}, e.g. ${example}; repeatable`)
    .argParser((text, before: readonly string[]) => [...before, text])
    .default([], 'none');
}

export function batchSizeOption(): Option {
  return new Option('--batch-size <n>', 'images at once; does not change the scores')
    .argParser(positiveNumber)
    .default(32);
}

/** @param more words about the default, where it is not one number */
export function resamplesOption(more = ''): Option {
  return new Option('--resamples <n>', `bootstrap draws of patients behind each interval${more}`).argParser(
    positiveNumber,
  );
}

export function logitAdjustOption(): Option {
  return new Option(
    '--logit-adjust <tau>',
    'take the class frequencies of the training off the logits (Menon et al.); 1: all of it',
  ).argParser(nonNegativeNumber);
}

/** @param parse of the text @param more than a number, in words */
export function tauNormOption(parse: (text: string) => unknown, more: string): Option {
  return new Option(
    '--tau-norm <tau>',
    `normalise the rows of a linear head (Kang et al.); 1: equal lengths; ${more}`,
  ).argParser(parse);
}

/** @param what is done with the views, as `merge scores` */
export function ttaOption(what: string): Option {
  return new Option('--tta <views>', `${what} over views of each image: mirrored, resized, turned`)
    .choices(VIEW_SETS)
    .default('none');
}

export function ttaMergeOption(): Option {
  return new Option('--tta-merge <how>', 'how the scores of the views become one')
    .choices(MERGES)
    .default('mean');
}

export function weightsOption(): Option {
  return new Option(
    '--weights <list>',
    'of the checkpoints in their mean, e.g. 0.6,0.4; divided by their sum (default: equal)',
  ).argParser(nonNegativeNumbers);
}

/** @throws EvaluationError unless there are as many weights as checkpoints, or none */
export function requireWeights(weights: readonly number[] | undefined, checkpoints: number): void {
  if (weights === undefined || weights.length === checkpoints) return;
  throw new EvaluationError(
    `--weights has ${weights.length} numbers for ${checkpoints} checkpoints: give one for each.`,
  );
}

export function normalGateOption(): Option {
  return new Option(
    '--normal-gate <alpha>',
    'times (1 − p)^alpha, with p the score of Normal; try it on validation first',
  ).argParser(nonNegativeNumber);
}

export function normalClassOption(): Option {
  return new Option('--normal-class <name>', 'the class that says that there is no finding').default(
    'Normal',
  );
}

/** An option under the name that it had once: it still works, and no help page shows it. */
export class OldSpelling extends Option {
  readonly #now: Option;

  constructor(flags: string, now: Option) {
    super(flags);
    this.hideHelp();
    if (now.parseArg) this.parseArg = now.parseArg;
    if (now.argChoices) this.choices(now.argChoices);
    this.#now = now;
  }

  override attributeName(): string {
    return this.#now.attributeName();
  }
}
