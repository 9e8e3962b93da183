import { KernelError } from './errors.js';
import { type DeviceTraits, describe, type Kernel, type Node, type Problem, type Variant } from './tensor.js';

/** A node with the kernel that will run it. */
export interface Chosen {
  readonly node: Node;
  readonly variant: string;
  readonly kernel: Kernel;
}

/** Names of variants to take instead of the rule's choice, by op name: for tests, benchmarks and the tuner. */
export type Preference = Readonly<Record<string, string>>;

/**
 * Picks a kernel variant for a node: the preferred one where it is named, else the lowest rank among those that the
 * device can run.
 */
export function choose(node: Node, traits: DeviceTraits, preference: Preference = {}): Chosen {
  const { op, attributes, inputs, outputs } = node;
  const problem: Problem = { inputs, outputs, attributes };
  const fits: Variant[] = [];
  const refusals: string[] = [];
  for (const variant of op.variants) {
    const reason = variant.unfit(problem, traits);
    if (reason === undefined) fits.push(variant);
    else refusals.push(`${variant.name}: ${reason}`);
  }
  const preferred = preference[op.name];
  const [best] = fits
    .filter((variant) => preferred === undefined || variant.name === preferred)
    .sort((a, b) => a.rank(problem, traits) - b.rank(problem, traits));
  if (!best) {
    const wanted = preferred === undefined ? 'a kernel' : `variant "${preferred}"`;
    throw new KernelError(
      `${node.label}: this device cannot run ${wanted} of ${op.name}(${inputs.map(describe).join(', ')})` +
        (refusals.length > 0 ? ` — ${refusals.join('; ')}` : ''),
    );
  }
  return { node, variant: best.name, kernel: best.build(problem, traits) };
}
