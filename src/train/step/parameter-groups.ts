import type { DecayRule } from '../../kernels/optimizer/decay-table.js';
import type { Lora, LoraLayers } from '../../models/lora.js';
import type { ModelDefinition } from '../../models/model.js';
import type { ParameterSpec, StatisticSpec } from '../../models/model-scope.js';
import { matchParameters, ParameterPatternError } from '../../recipe/parameter-pattern.js';
import type { GroupsRecipe } from '../../recipe/recipe-groups.js';
import type { OptimizerRecipe } from '../../recipe/recipe-schema.js';

/**
 * What a recipe's optimizer means for each parameter of a network: its learning rate, its weight decay, or that it is
 * frozen.
 *
 * - **Groups**: the first one that matches a parameter counts; what none matches takes the optimizer's own rate and decay.
 * - **Weight decay** spares norms and biases (all vectors, as timm), unless the recipe says `decayNormsAndBiases`.
 * - **Layer-wise learning-rate decay** (`layerDecay` d; BEiT, arXiv 2106.08254, in timm's `param_groups_layer_decay`):
 *   with layers numbered as `ModelScope.nextLayer` does (the stem 0, a residual block each, with the downsampling before
 *   it; the last norm and the head L), a parameter of layer l has its rate times d^(L − l). So the head learns at the full
 *   rate. A group's factor multiplies it.
 * - **Fixed** values of a network (`ParameterSpec.fixed`) are frozen, whatever matches them.
 * - **Frozen** parameters have no gradient, no optimizer state and no average of their own, and keep every bit. A batch
 *   norm whose weight and bias are both frozen goes by its running statistics, as in evaluation, and leaves those as they
 *   are, unless the recipe says `freezeNorms: false`. Dropout and stochastic depth stay as in training.
 * - **LoRA** (`lora: {rank, alpha}`; models/lora.ts) freezes a group and puts an adapter beside each linear layer in it.
 *   The adapters are trained with the group's rate and decay; each has the layer number of the weight that it stands
 *   beside. Patterns name parameters of the network itself, never adapters.
 */
export interface ParameterGroups {
  /**
   * In the recipe's order, the adapters of each behind it; then what no group matches, and what the network itself says
   * is fixed, where there are such.
   */
  readonly groups: readonly ParameterGroupSettings[];
  /** The parameters that training changes, in the network's order. */
  readonly trained: readonly ParameterSpec[];
  readonly frozen: readonly ParameterSpec[];
  /** The running statistics that follow the batches, in the network's order, and those that stay as they are. */
  readonly followed: readonly StatisticSpec[];
  readonly held: readonly StatisticSpec[];
  /** Whether the batch norm with these parameters goes by its running statistics. */
  holdsStatistics(norm: readonly string[]): boolean;
  /** Rates and decays of the trained parameters. */
  readonly decayRules: readonly DecayRule[];
}

export interface ParameterGroupSettings {
  /** What it matches, as the recipe says; `others` for what no group does. */
  readonly match: string;
  readonly frozen: boolean;
  /** Of a group of adapters: theirs. The group before it is what they stand beside. */
  readonly lora?: Lora | undefined;
  /** Without the layer-wise decay. */
  readonly lrScale: number;
  /** Of those that decay. */
  readonly weightDecay: number;
  readonly parameters: readonly TrainedParameter[];
}

export interface TrainedParameter {
  readonly spec: ParameterSpec;
  /** Times the step's learning rate. */
  readonly learningRateScale: number;
  readonly weightDecay: number;
}

type GroupedNetwork = Pick<ModelDefinition, 'config' | 'parameters' | 'statistics'>;

/** What of an optimizer's settings decides the groups. */
type GroupingRecipe = Pick<
  OptimizerRecipe,
  'groups' | 'weightDecay' | 'layerDecay' | 'decayNormsAndBiases' | 'freezeNorms'
>;

/**
 * @param definition with the adapters that `adaptersOf` says; see `modelOf` in trainer.ts
 * @throws ParameterPatternError for a pattern that matches nothing, a group whose parameters all belong to earlier ones,
 *   or where nothing is left to train
 */
export function groupParameters(definition: GroupedNetwork, optimizer: GroupingRecipe): ParameterGroups {
  const { parameters, statistics } = definition;
  const groups = assign(definition, optimizer).flatMap((each) => settingsOf(each, definition, optimizer));
  const frozenNames = new Set(
    groups.flatMap((group) => (group.frozen ? group.parameters.map(({ spec }) => spec.name) : [])),
  );
  const trained = parameters.filter(({ name }) => !frozenNames.has(name));
  if (trained.length === 0) {
    throw new ParameterPatternError(
      'optimizer.groups: every parameter is frozen, so there is nothing to train.',
    );
  }
  const holdsStatistics = (norm: readonly string[]) =>
    optimizer.freezeNorms && norm.every((name) => frozenNames.has(name));
  return {
    groups,
    trained,
    frozen: parameters.filter(({ name }) => frozenNames.has(name)),
    followed: statistics.filter(({ norm }) => !holdsStatistics(norm)),
    held: statistics.filter(({ norm }) => holdsStatistics(norm)),
    holdsStatistics,
    decayRules: decayRulesOf(groups.filter(({ frozen }) => !frozen).flatMap((group) => group.parameters)),
  };
}

/**
 * Which linear layers of a network an optimizer wants adapters for.
 * @throws ParameterPatternError for a group with `lora` that has no linear layer, and as `groupParameters`
 */
export function adaptersOf(
  definition: Pick<GroupedNetwork, 'config' | 'parameters'>,
  optimizer: Pick<GroupingRecipe, 'groups'>,
): LoraLayers {
  const layers = assign(definition, optimizer).flatMap(({ rule, specs }) => {
    const { lora, match } = rule;
    if (!lora) return [];
    const weights = specs.filter(({ adaptable }) => adaptable);
    if (weights.length === 0) throw noLinearLayer(match.join(', '), definition);
    return weights.map(({ name }) => [name, lora] as const);
  });
  return new Map(layers);
}

function noLinearLayer(
  match: string,
  { config, parameters }: Pick<GroupedNetwork, 'config' | 'parameters'>,
): ParameterPatternError {
  const linear = parameters.filter(({ adaptable }) => adaptable);
  const globs = [...new Set(linear.map(({ name }) => name.replace(/\.\d+(?=\.)/g, '.*')))];
  return new ParameterPatternError(
    `optimizer.groups: lora at "${match}", where ${config.arch} has no linear layer${
      globs.length === 0 ? ' or anywhere else' : `; match some of its weights: ${globs.join(', ')}`
    }. Only linear layers get adapters.`,
  );
}

interface Rule {
  readonly match: readonly string[];
  readonly lrScale: number;
  readonly weightDecay?: number | undefined;
  readonly freeze: boolean;
  readonly lora?: Lora | undefined;
}

/** What a rule is for, of the network without adapters. */
interface Assigned {
  readonly rule: Rule;
  readonly specs: readonly ParameterSpec[];
}

function rulesOf(groups: GroupsRecipe): Rule[] {
  const plain = { lrScale: 1, freeze: false };
  if (Array.isArray(groups)) return groups.map((group) => ({ ...group, match: [group.match].flat() }));
  return (['backbone', 'head'] as const).map((name) => {
    const settings = groups[name];
    return { match: [name], ...plain, ...(typeof settings === 'number' ? { lrScale: settings } : settings) };
  });
}

function assign(
  { config, parameters }: Pick<GroupedNetwork, 'config' | 'parameters'>,
  optimizer: Pick<GroupingRecipe, 'groups'>,
): Assigned[] {
  const own = parameters.filter(({ adapts }) => adapts === undefined);
  const left = new Set(own);
  const take = (rule: Rule, specs: readonly ParameterSpec[]): Assigned => {
    for (const spec of specs) left.delete(spec);
    return { rule, specs };
  };
  const fixed = own.filter((spec) => spec.fixed);
  const constants =
    fixed.length > 0 ? [take({ match: ['fixed values'], lrScale: 1, freeze: true }, fixed)] : [];
  const groups = rulesOf(optimizer.groups).map((rule, index) => {
    const matched = rule.match.flatMap((pattern) => matchGroup(pattern, { config, parameters: own }, index));
    const specs = own.filter((spec) => matched.includes(spec) && left.has(spec));
    if (specs.length > 0) return take(rule, specs);
    throw new ParameterPatternError(
      `optimizer.groups.${index}: all that "${rule.match.join(', ')}" matches belongs to earlier groups already; ` +
        'put the narrower group first, since the first that matches counts.',
    );
  });
  const others = [...left];
  const rest = others.length > 0 ? [take({ match: ['others'], lrScale: 1, freeze: false }, others)] : [];
  return [...groups, ...rest, ...constants];
}

/** One group, and one more of its adapters. */
function settingsOf(
  { rule, specs }: Assigned,
  { parameters }: Pick<GroupedNetwork, 'parameters'>,
  optimizer: GroupingRecipe,
): ParameterGroupSettings[] {
  const { lrScale, weightDecay = optimizer.weightDecay, lora } = rule;
  const last = Math.max(...parameters.map(({ layer }) => layer));
  const group = (members: readonly ParameterSpec[], frozen: boolean): ParameterGroupSettings => ({
    match: rule.match.join(', '),
    frozen,
    lrScale,
    weightDecay,
    parameters: members.map((spec) => ({
      spec,
      learningRateScale: lrScale * optimizer.layerDecay ** (last - spec.layer),
      weightDecay: spec.decay || optimizer.decayNormsAndBiases ? weightDecay : 0,
    })),
  });
  if (!lora) return [group(specs, rule.freeze)];
  const weights = new Set(specs.map(({ name }) => name));
  const adapters = parameters.filter(({ adapts }) => adapts && weights.has(adapts.weight));
  if (adapters.length === 0)
    throw new RangeError('the network was defined without the adapters of its recipe');
  return [group(specs, true), { ...group(adapters, false), lora }];
}

function matchGroup(
  pattern: string,
  definition: Pick<ModelDefinition, 'config' | 'parameters'>,
  index: number,
): ParameterSpec[] {
  try {
    return matchParameters(pattern, definition);
  } catch (error) {
    if (!(error instanceof ParameterPatternError)) throw error;
    throw new ParameterPatternError(`optimizer.groups.${index}.match: ${error.message}`);
  }
}

/** One rule for all parameters of equal rate and decay. */
function decayRulesOf(parameters: readonly TrainedParameter[]): DecayRule[] {
  const names = new Map<string, Set<string>>();
  const rules = parameters.map(({ spec, learningRateScale, weightDecay }) => {
    const key = `${learningRateScale} ${weightDecay}`;
    const members = names.get(key) ?? new Set();
    names.set(key, members.add(spec.name));
    return { matches: (name: string) => members.has(name), learningRateScale, weightDecay };
  });
  const first = new Map(rules.map((rule) => [`${rule.learningRateScale} ${rule.weightDecay}`, rule]));
  return [...first.values()];
}
