import { asl } from './asl.js';
import { aucMargin } from './auc-margin.js';
import { bce } from './bce.js';
import { cbFocal } from './cb-focal.js';
import { distributionBalanced } from './db.js';
import { dbMargin } from './db-margin.js';
import type { Loss } from './define/loss.js';
import { LossError } from './define/loss-error.js';
import { SUM, sumOfLosses } from './define/sum-of-losses.js';
import { focal } from './focal.js';
import { hill } from './hill.js';
import { ldam, ldamDrw } from './ldam.js';
import { logitAdjusted } from './logit-adjusted.js';
import { logitAdjustedAsl } from './logit-adjusted-asl.js';
import { ral } from './ral.js';
import { smoothAp } from './smooth-ap.js';
import { splc } from './splc.js';
import { twoWay } from './two-way.js';
import { weightedBce } from './weighted-bce.js';

/** The losses by name. Being in here is all that a loss needs for recipes, the command line, tests and benchmarks. */
const losses = new Map<string, Loss>(
  [
    bce,
    weightedBce,
    focal,
    cbFocal,
    asl,
    distributionBalanced,
    dbMargin,
    ldam,
    ldamDrw,
    logitAdjusted,
    logitAdjustedAsl,
    hill,
    splc,
    ral,
    twoWay,
    aucMargin,
    smoothAp,
  ].map((loss) => [loss.name, loss]),
);

/** Of those, with its parts given as a parameter. */
const sum = sumOfLosses((name) => registered(name));

/** In the order of registration; the sum of others isn't among them. */
export function registeredLosses(): Loss[] {
  return [...losses.values()];
}

/** Makes a loss of one's own known by its name. Throws `LossError` where the name is taken. */
export function registerLoss(loss: Loss): void {
  if (losses.has(loss.name) || loss.name === SUM)
    throw new LossError(`a loss named "${loss.name}" is registered already`);
  losses.set(loss.name, loss);
}

/** Throws `LossError` naming the known ones. */
export function findLoss(name: string): Loss {
  return name === SUM ? sum : registered(name);
}

function registered(name: string): Loss {
  const loss = losses.get(name);
  if (!loss) throw new LossError(`no loss is named "${name}"; there are ${[...losses.keys()].join(', ')}`);
  return loss;
}
