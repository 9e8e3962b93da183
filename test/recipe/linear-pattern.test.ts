import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expressionMatcher, globMatcher, PatternSyntaxError } from '../../src/recipe/linear-pattern.js';

const letters = fc.array(fc.constantFrom('a', 'b', '.', '1'), { maxLength: 12 }).map((all) => all.join(''));

/** Expressions of the kind that is read. */
const { expression } = fc.letrec<{ expression: string; sequence: string; piece: string; atom: string }>(
  (tie) => ({
    expression: fc.oneof(
      { weight: 3, arbitrary: tie('sequence') },
      fc.tuple(tie('sequence'), tie('sequence')).map(([a, b]) => `${a}|${b}`),
    ),
    sequence: fc.array(tie('piece'), { maxLength: 4 }).map((all) => all.join('')),
    piece: fc
      .tuple(tie('atom'), fc.constantFrom('', '', '*', '+', '?'))
      .map(([atom, sign]) => `${atom}${sign}`),
    atom: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom('a', 'b', '1', '.', '\\.', '[ab]', '[^a.]', '[0-9a]', '\\d', '\\W', '(?:^)', '(?:$)'),
      tie('expression').map((inner) => `(${inner})`),
      tie('expression').map((inner) => `(?:${inner})`),
    ),
  }),
);

describe('patterns in linear time', () => {
  test('an expression finds as JavaScript’s own does', () => {
    fc.assert(
      fc.property(expression, fc.array(letters, { minLength: 1, maxLength: 5 }), (source, names) => {
        // longer ones are refused
        fc.pre(source.length <= 500);
        const own = new RegExp(source, 'u');
        const matches = expressionMatcher(source);
        for (const name of names)
          expect([source, name, matches(name)]).toEqual([source, name, own.test(name)]);
      }),
      { numRuns: 1000 },
    );
  });

  test('a glob matches whole names as its expression does', () => {
    const glob = fc
      .array(fc.constantFrom('a', 'b', '.', '1', '*', '?'), { maxLength: 8 })
      .map((all) => all.join(''));
    fc.assert(
      fc.property(glob, letters, (pattern, name) => {
        const own = new RegExp(
          `^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll('?', '.')}$`,
          'u',
        );
        expect([pattern, name, globMatcher(pattern)(name)]).toEqual([pattern, name, own.test(name)]);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ['nested repetitions', expressionMatcher('(a+)+$')],
    ['alternatives that overlap', expressionMatcher('^(a|a?a)*b')],
    ['many stars', globMatcher(`${'*a'.repeat(240)}b`)],
  ])('%s end soon on a long name', (_, matches) => {
    const begun = performance.now();
    expect(matches(`${'a'.repeat(300)}!`)).toBe(false);
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  test.each([
    '(',
    ')',
    'a)',
    '[a',
    '*',
    'a**',
    'a{2}',
    '\\',
    '\\1',
    '\\b',
    '(?=a)',
    '(?<n>a)',
    '[b-a]',
    '('.repeat(100),
  ])('%s is refused', (source) => {
    expect(() => expressionMatcher(source)).toThrow(PatternSyntaxError);
  });
});
