import { TailrayError } from '../engine/errors.js';
import type { ModelDefinition } from '../models/model.js';
import type { ParameterSpec } from '../models/model-scope.js';
import { shorten } from '../text/shorten.js';
import { nearestName } from './known-names.js';
import { expressionMatcher, globMatcher, PatternSyntaxError } from './linear-pattern.js';

/** Which parameters of a network a recipe means. */

/** A pattern is broken or names no parameter; says which names are near. */
export class ParameterPatternError extends TailrayError {}

/**
 * The parameters that a pattern names, by one of:
 *
 * - `backbone`, `head`: the classifier is the head, all before it the backbone (a ConvNeXt's last norm, which timm calls
 *   `head.norm`, included)
 * - a name of timm's, `layer1.0.bn1.weight`, or of a module, which stands for all in it: `layer1`, `stages.0.blocks.1`
 * - a glob over whole names: `*` is any text, dots included, and `?` a single character
 * - `/…/`: a regular expression, found anywhere in the name unless it says ^ or $; see linear-pattern.ts for its signs
 *
 * @throws ParameterPatternError where the expression is broken or nothing matches
 */
export function matchParameters(
  pattern: string,
  { config, parameters }: Pick<ModelDefinition, 'config' | 'parameters'>,
): ParameterSpec[] {
  const matches = matcher(pattern);
  const found = parameters.filter(matches);
  if (found.length > 0) return found;
  const near = nearestName(pattern.replace(/(\.?\*)+$/, ''), modules(parameters.map(({ name }) => name)));
  throw new ParameterPatternError(
    `"${pattern}" matches no parameter of ${config.arch}` +
      `${near === undefined ? '' : `; did you mean "${near}"?`} Its parts are ${parts(parameters)}.`,
  );
}

function matcher(pattern: string): (spec: ParameterSpec) => boolean {
  if (pattern === 'backbone' || pattern === 'head') return ({ group }) => group === pattern;
  const expression = /^\/(.+)\/$/s.exec(pattern)?.[1];
  try {
    if (expression === undefined) {
      const whole = globMatcher(pattern);
      return ({ name }) => whole(name) || name.startsWith(`${pattern}.`);
    }
    const found = expressionMatcher(expression);
    return ({ name }) => found(name);
  } catch (error) {
    if (!(error instanceof PatternSyntaxError)) throw error;
    const shown = shorten(pattern, 64);
    throw new ParameterPatternError(
      `"${shown}" is no pattern of names: ${error.message}. A glob does as well, such as layer1.*.conv?.weight; ` +
        'match takes a list of them.',
    );
  }
}

/** Every name and every module that holds one. */
function modules(names: readonly string[]): string[] {
  const all = names.flatMap((name) => {
    const path = name.split('.');
    return path.map((_, depth) => path.slice(0, depth + 1).join('.'));
  });
  return [...new Set(['backbone', 'head', ...all])];
}

/** The outermost modules, as an orientation. */
function parts(parameters: readonly ParameterSpec[]): string {
  return [...new Set(parameters.map(({ name }) => name.split('.')[0]))].join(', ');
}
