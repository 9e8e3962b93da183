import { PROMPT_GROUPS } from './prompts.js';
import type { RuleChoice } from './scoring/rule.js';
import type { TextEmbeddings } from './scoring/text-embeddings.js';

/** A list of rules that stands for choice. */
export interface Candidate {
  readonly name: string;
  readonly rules: readonly RuleChoice[];
}

/**
 * Every rule alone, each group of prompts alone, and the combinations that make sense, as far as there are the prompts and
 * the scores of a seen model that they need. The plainest stands first.
 * @param seenClasses those that a seen model has scores of
 */
export function defaultCandidates(texts: TextEmbeddings, seenClasses: readonly string[] = []): Candidate[] {
  const classes = [...texts.classes.values()];
  const some = (rows: Float32Array | undefined) => rows !== undefined && rows.length > 0;
  const groups = PROMPT_GROUPS.filter((group) => classes.every((each) => each.groups.has(group)));
  const only = (group: string): RuleChoice => ({
    name: 'group-weights',
    ...Object.fromEntries(PROMPT_GROUPS.map((each) => [each, each === group ? 1 : 0])),
  });
  const contrasts = [
    ...(classes.every(({ negative }) => some(negative)) ? ['positive-minus-negative'] : []),
    ...(classes.every(({ neutral }) => some(neutral)) || some(texts.neutral) ? ['minus-neutral'] : []),
  ];
  const single: Candidate[] = ['mean', 'mean-embedding', 'group-weights', 'log-sum-exp', 'max'].map(
    (name) => ({
      name,
      rules: [name],
    }),
  );
  const byGroup =
    groups.length > 1 ? groups.map((group) => ({ name: `only ${group}`, rules: [only(group)] })) : [];
  const others = ['centred', ...contrasts, 'softmax'].map((name) => ({ name, rules: [name] }));
  const joined = (...rules: string[]): Candidate => ({ name: rules.join(' + '), rules });
  const combined = [
    ...contrasts.map((contrast) => joined('centred', contrast)),
    ...contrasts.map((contrast) => joined('log-sum-exp', contrast)),
    ...contrasts.map((contrast) => joined('centred', 'log-sum-exp', contrast)),
    joined('centred', 'log-sum-exp'),
    joined('centred', 'softmax'),
  ];
  const near = seenClasses.filter((name) => name !== 'Normal');
  const transfers: Candidate[] =
    near.length > 0 && near.every((name) => texts.classes.has(name))
      ? [
          joined('semantic-transfer'),
          { name: 'half semantic-transfer', rules: ['sigmoid', { name: 'semantic-transfer', share: 0.5 }] },
        ]
      : [];
  const gated = seenClasses.includes('Normal')
    ? [joined('sigmoid', 'normal-gating'), joined('centred', 'sigmoid', 'normal-gating')]
    : [];
  return [...single, ...byGroup, ...others, ...combined, ...transfers, ...gated];
}
