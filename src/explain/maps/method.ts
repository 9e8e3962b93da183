/** The ways to say where a network looked. */
export const EXPLAIN_METHODS = ['grad-cam', 'csra', 'rollout'] as const;
export type ExplainMethod = (typeof EXPLAIN_METHODS)[number];

/** Each in a sentence, for legends and reports. */
export const METHOD_TEXTS: Readonly<Record<ExplainMethod, string>> = {
  'grad-cam':
    'Grad-CAM (Selvaraju et al. 2017): the last map, each channel weighed by the mean of its slope to the class’s logit; what speaks against the class is left out.',
  csra: 'CSRA: the head’s own attention to each position for the class, before the class’s score at that position.',
  rollout:
    'Attention rollout (Abnar & Zuidema 2020): attention of all blocks multiplied, half of each token passed on by the residual; the same for every class.',
};
