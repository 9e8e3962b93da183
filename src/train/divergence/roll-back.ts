import type { Recipe } from '../../recipe/recipe-schema.js';
import { counted, significant } from '../../text/numbers.js';
import type { Progress } from '../run/saved-state.js';
import type { Stage } from '../run/stage-plan.js';
import type { Origin } from './describe-unsound.js';
import type { Divergence } from './divergence.js';

/**
 * What becomes of a run whose step was not finite: `divergence` of the recipe. A rollback goes to the last state that was
 * saved at an epoch's end (or at the start of the stage), never to one that the clock or a person asked for. So a run that
 * was interrupted goes back to where an unbroken one does, and does the same.
 */
export type Decision =
  | { readonly action: 'stop'; readonly reason: string }
  | { readonly action: 'rollback'; readonly progress: Progress; readonly note: string };

export interface DecisionInput {
  readonly divergence: Divergence;
  /** Undefined where the step, repeated, was finite. */
  readonly origin: Origin | undefined;
  readonly stage: Pick<Stage, 'firstStep' | 'recipe'>;
  /** When the run diverged: the epochs validated by then keep their weights, whatever comes after. */
  readonly reached: Pick<Progress, 'best' | 'kept' | 'rollbacks'>;
  /** The saved state to go back to. */
  readonly target: Progress | null;
}

export function decide({ divergence, origin, stage, reached, target }: DecisionInput): Decision {
  const { action, factor, most }: Recipe['divergence'] = stage.recipe.divergence;
  const { step } = divergence;
  const stop = (reason: string): Decision => ({ action: 'stop', reason });
  if (origin?.inData) return stop('A lower learning rate does not cure data: correct them and train again.');
  if (action === 'stop') {
    const back =
      target === null
        ? ''
        : `; or go on from the state after step ${target.step} at a lower rate: --resume --on-divergence rollback`;
    return stop(`Try a lower optimizer.lr, more warm-up, or optimizer.clipNorm=1${back}.`);
  }
  if (target === null) return stop('Nothing was saved that the run could go back to.');
  const before = rollbacksOf(stage, reached);
  if (before.length >= most) {
    return stop(
      `The run went back ${counted(most, 'time')} already (divergence.most): try a lower optimizer.lr.`,
    );
  }
  if (step === target.step + 1) {
    return stop(
      'It is the first step after the saved state, so no learning rate of the steps before it can be lowered: start ' +
        'a new run, from other weights or at a lower optimizer.lr.',
    );
  }
  const { best, kept } = reached;
  const rollbacks = [...(reached.rollbacks ?? []), { step, to: target.step, factor }];
  const progress = { ...target, best, ...(kept && { kept }), rollbacks };
  return {
    action: 'rollback',
    progress,
    note:
      `back to the state after step ${target.step}, and on with the learning rate times ` +
      `${significant(rateFactor(stage, progress), 3)} (rollback ${before.length + 1} of at most ${most}).`,
  };
}

/** What the learning rate of a stage is multiplied by after its rollbacks. */
export function rateFactor(stage: Pick<Stage, 'firstStep'>, progress: Pick<Progress, 'rollbacks'>): number {
  return rollbacksOf(stage, progress).reduce((product, { factor }) => product * factor, 1);
}

/** Those of the stage that the run is in: a stage is never gone back over. */
function rollbacksOf(
  { firstStep }: Pick<Stage, 'firstStep'>,
  { rollbacks = [] }: Pick<Progress, 'rollbacks'>,
) {
  return rollbacks.filter(({ to }) => to >= firstStep);
}

/** `step 12: the loss is NaN and the gradient's norm NaN; that step changed nothing. …` */
export function describeDivergence(
  { step, loss, gradientNorm }: Divergence,
  origin: Origin | undefined,
): string {
  const where =
    origin?.text ??
    'Repeated with the weights of a few steps later, all its tensors were finite: it depends on weights of that moment.';
  return `step ${step}: the loss is ${loss} and the gradient's norm ${gradientNorm}; that step changed nothing. ${where}`;
}
