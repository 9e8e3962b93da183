import { adamW } from './adamw.js';
import type { Optimizer } from './define/optimizer.js';
import { OptimizerError } from './define/optimizer-error.js';
import { sgd } from './sgd.js';

/** The optimizers by name. Being in here is all that an optimizer needs for recipes, the command line and saved states. */
const optimizers = new Map<string, Optimizer>([adamW, sgd].map((optimizer) => [optimizer.name, optimizer]));

/** In the order of registration. */
export function registeredOptimizers(): Optimizer[] {
  return [...optimizers.values()];
}

/** Makes an optimizer of one's own known by its name. Throws `OptimizerError` where the name is taken. */
export function registerOptimizer(optimizer: Optimizer): void {
  if (optimizers.has(optimizer.name)) {
    throw new OptimizerError(`an optimizer named "${optimizer.name}" is registered already`);
  }
  optimizers.set(optimizer.name, optimizer);
}

/** Throws `OptimizerError` naming the known ones. */
export function findOptimizer(name: string): Optimizer {
  const optimizer = optimizers.get(name);
  if (optimizer) return optimizer;
  throw new OptimizerError(`no optimizer is named "${name}"; there are ${[...optimizers.keys()].join(', ')}`);
}
