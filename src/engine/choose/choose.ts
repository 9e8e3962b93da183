import { KernelError } from '../errors.js';
import {
  byteLength,
  type DeviceTraits,
  describe,
  type Kernel,
  type Node,
  type Op,
  type Problem,
  type RowRange,
  type Variant,
} from '../graph/tensor.js';
import { problemKey } from './problem-key.js';

/** The kernel variant that computes a node: the one asked for, else the one known to be fastest, else the rule's. */

/** A node with the kernel that will run it. */
export interface Chosen {
  readonly node: Node;
  readonly variant: string;
  readonly by: ChosenBy;
  readonly kernel: Kernel;
  /** Of a node that is computed in ranges of rows (choose-in-rows.ts): these, and the choices for problems that arise so. */
  readonly ranges?: readonly RowRange[];
  readonly parts?: readonly Chosen[];
}

/**
 * `only`: no other variant fits; `rule`: the lowest rank; `tuned`: measured on this adapter; `earlier`: the variant that
 * the run had before it was resumed; `forced`: asked for by name.
 */
export type ChosenBy = 'only' | 'rule' | 'tuned' | 'earlier' | 'forced';

/**
 * Names of variants to take whatever else is known, by op name: for tests and benchmarks, and for variants that no rule
 * takes (`Variant.optIn`). One name must fit every node of the op; of a list, each node takes the first that fits it, and
 * where none does the choice is free.
 */
export type Preference = Readonly<Record<string, string | readonly string[]>>;

/** Names of variants by `problemKey`. Names that mean nothing here, or do not fit, are passed over. */
export type KnownVariants = ReadonlyMap<
  string,
  { readonly variant: string; readonly by: 'tuned' | 'earlier' }
>;

export interface Choices {
  readonly preference?: Preference | undefined;
  readonly known?: KnownVariants | undefined;
}

/** @throws KernelError when no variant runs here, or not the preferred one */
export function choose(node: Node, traits: DeviceTraits, { preference, known }: Choices = {}): Chosen {
  const problem = problemOf(node);
  const wish = preference?.[node.op.name];
  const { fits, refusals } = fitting(node, traits, [wish ?? []].flat());
  const measured = known?.get(problemKey(node));
  const [best] = fits;
  const pick = (name: string | undefined) => fits.find((variant) => variant.name === name);
  const forced = typeof wish === 'object' ? wish.find((name) => pick(name) !== undefined) : wish;
  const chosen = (variant: Variant, by: ChosenBy): Chosen => ({
    node,
    variant: variant.name,
    by: fits.length === 1 && by === 'rule' ? 'only' : by,
    kernel: variant.build(problem, traits),
  });
  const wanted = forced === undefined ? best : pick(forced);
  if (!wanted || !best) {
    const what = forced === undefined ? 'a kernel' : `variant "${forced}"`;
    throw new KernelError(
      `${node.label}: this device cannot run ${what} of ${node.op.name}(${node.inputs.map(describe).join(', ')})` +
        (refusals.length > 0 ? ` — ${refusals.join('; ')}` : ''),
    );
  }
  if (forced !== undefined) return chosen(wanted, 'forced');
  const remembered = fits.length > 1 ? pick(measured?.variant) : undefined;
  if (remembered && measured) return chosen(remembered, measured.by);
  for (const variant of fits) {
    const built = chosen(variant, 'rule');
    if (scratchFits(built.kernel, traits)) return built;
  }
  return chosen(best, 'rule');
}

/** Whether the rule's choice is not passed over for what it needs between its steps; also true where nothing runs. */
export function ruleFits(node: Node, traits: DeviceTraits): boolean {
  const [best] = candidates(node, traits).fits;
  return !best || scratchFits(best.build(problemOf(node), traits), traits);
}

/** A variant may need more memory between its steps than its operands take. */
function scratchFits({ scratch }: Kernel, { maxBindingBytes }: DeviceTraits): boolean {
  return scratch.every((need) => need.kind === 'texture' || need.bytes <= maxBindingBytes);
}

/**
 * How many variants of one family are worth measuring. On software adapters a kernel in workgroup memory takes seconds to
 * compile and hardly ever wins.
 */
const OF_A_FAMILY = { gpu: 5, software: 1 } as const;

/** As `fitting`, but of each family only the variants that rank best. */
export function candidates(node: Node, traits: DeviceTraits): { fits: Variant[]; refusals: string[] } {
  const { fits, refusals } = fitting(node, traits);
  const seen = new Map<string, number>();
  const best = fits.filter(({ family }) => {
    if (family === undefined) return true;
    const number = (seen.get(family) ?? 0) + 1;
    seen.set(family, number);
    return number <= OF_A_FAMILY[traits.kind];
  });
  return { fits: best, refusals };
}

/**
 * The variants that can run a node on this device, the rule's choice first, and why the others cannot.
 * @param asked names of those to consider although they are `optIn`
 */
export function fitting(
  node: Node,
  traits: DeviceTraits,
  asked: readonly string[] = [],
): { fits: Variant[]; refusals: string[] } {
  const problem = problemOf(node);
  const fits: Variant[] = [];
  const refusals: string[] = [];
  for (const variant of node.op.variants) {
    if (variant.optIn && !asked.includes(variant.name)) continue;
    const reason = variant.unfit(problem, traits);
    if (reason === undefined) fits.push(variant);
    else refusals.push(`${variant.name}: ${reason}`);
  }
  const ranks = new Map(fits.map((variant) => [variant, variant.rank(problem, traits)]));
  fits.sort((a, b) => (ranks.get(a) ?? 0) - (ranks.get(b) ?? 0));
  return { fits, refusals };
}

export function problemOf({ inputs, outputs, attributes }: Node): Problem {
  return { inputs, outputs, attributes };
}

/** Bytes that an op must move at least: its own count, else its operands and results once each. */
export function bytesMoved(op: Op, problem: Problem): number {
  const once = () => [...problem.inputs, ...problem.outputs].reduce((sum, spec) => sum + byteLength(spec), 0);
  return op.bytes?.(problem) ?? once();
}
