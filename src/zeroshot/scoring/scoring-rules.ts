import { unknownName } from '../../recipe/known-names.js';
import { sigmoid, temperature, zScore } from './calibration-rules.js';
import { centred } from './centred.js';
import { normalGating, semanticTransfer, softmaxOverClasses } from './class-mixing-rules.js';
import { minusNeutral, positiveMinusNegative } from './contrast-rules.js';
import { groupWeights, logSumExp, max, mean, meanEmbedding } from './pooling-rules.js';
import { type BoundRule, RULE_KINDS, type RuleChoice, type ScoringRule } from './rule.js';
import { ScoringError } from './scoring-error.js';

/** The rules by name. Being in here is all that a rule needs for the command line and for the choice among rules. */
const rules = new Map<string, ScoringRule>(
  [
    centred,
    mean,
    meanEmbedding,
    max,
    logSumExp,
    groupWeights,
    positiveMinusNegative,
    minusNeutral,
    softmaxOverClasses,
    semanticTransfer,
    normalGating,
    sigmoid,
    temperature,
    zScore,
  ].map((rule) => [rule.name, rule]),
);

/** In the order of registration. */
export function registeredScoringRules(): ScoringRule[] {
  return [...rules.values()];
}

/** Makes a rule of one's own known by its name. @throws ScoringError where the name is taken */
export function registerScoringRule(rule: ScoringRule): void {
  if (rules.has(rule.name)) throw new ScoringError(`a rule named "${rule.name}" is registered already`);
  rules.set(rule.name, rule);
}

/** @throws ScoringError naming the known ones */
export function findScoringRule(name: string): ScoringRule {
  const rule = rules.get(name);
  if (rule) return rule;
  throw new ScoringError(`${unknownName('rule of scoring', name, [...rules.keys()])}.`);
}

/**
 * Finds the rules of a list and fixes their parameters.
 * @throws ScoringError for unknown rules and parameters, and for a list whose order makes no sense (see `RULE_KINDS`)
 */
export function bindRules(choices: readonly RuleChoice[]): BoundRule[] {
  const bound = choices.map((choice) => {
    const { name, ...parameters } = typeof choice === 'string' ? { name: choice } : choice;
    return findScoringRule(name).bind(parameters);
  });
  for (const [i, { rule }] of bound.entries()) {
    const before = bound[i - 1]?.rule;
    if (before === undefined) continue;
    if (rule.kind === 'pooling' && before.kind === 'pooling') {
      throw new ScoringError(`${before.name} and ${rule.name} both pool prompts: a list has one of these.`);
    }
    if (RULE_KINDS.indexOf(rule.kind) < RULE_KINDS.indexOf(before.kind)) {
      throw new ScoringError(
        `${rule.name} (${rule.kind}) stands after ${before.name} (${before.kind}): rules come in the order ${RULE_KINDS.join(', ')}.`,
      );
    }
  }
  return bound;
}

/** Whether the list can order images otherwise within a class than `mean` does. */
export function canChangeRanking(bound: readonly BoundRule[]): boolean {
  return bound.some(({ rule }) => rule.canChangeRanking);
}

/** `centred → log-sum-exp (temperature 0.02)`: parameters that differ from their defaults are named. */
export function describeRules(bound: readonly BoundRule[]): string {
  if (bound.length === 0) return mean.name;
  return bound
    .map(({ rule, parameters }) => {
      const defaults: Readonly<Record<string, unknown>> = rule.parameters.parse({});
      const own = Object.entries(parameters).filter(
        ([key, value]) => value !== undefined && JSON.stringify(value) !== JSON.stringify(defaults[key]),
      );
      const told = own.map(([key, value]) => `${key} ${value}`).join(', ');
      return told === '' ? rule.name : `${rule.name} (${told})`;
    })
    .join(' → ');
}
