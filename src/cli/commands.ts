/** Every command of tailray, in the order in which a person meets them, with its line in the help. */
export const COMMANDS = {
  synth: {
    group: 'Data:',
    summary: 'Draw labelled chest phantoms. SIMULATED: not for clinical use.',
  },
  inspect: {
    group: 'Data:',
    summary: 'Find what is odd about a data set before training on it.',
  },
  train: { group: 'Training:', summary: 'Train a chest X-ray classifier by a recipe.' },
  compare: {
    group: 'Training:',
    summary: 'Train variants with several seeds, say which differences hold.',
  },
  models: {
    group: 'Training:',
    summary: 'List the architectures: size, arithmetic, memory of training.',
  },
  losses: { group: 'Training:', summary: 'List the losses, or tell all about one.' },
  runs: { group: 'Training:', summary: 'List the runs there are; compare or remove some.' },
  evaluate: { group: 'Trained models:', summary: 'Measure a model, or predictions, against labels.' },
  predict: { group: 'Trained models:', summary: 'Score images with a trained checkpoint.' },
  'explain-image': {
    group: 'Trained models:',
    summary: 'Draw where a model looked, over any radiographs.',
  },
  ladder: {
    group: 'Trained models:',
    summary: 'Measure what views, an ensemble and a gate gain.',
  },
  average: { group: 'Trained models:', summary: "Average several checkpoints' weights." },
  zeroshot: {
    group: 'Trained models:',
    summary: 'Score findings without labels, by texts; search images by text.',
  },
  submission: {
    group: 'Trained models:',
    summary: 'Check a submission before it goes to the challenge.',
  },
  report: {
    group: 'Trained models:',
    summary: 'Write an HTML report of one run, or of several side by side.',
  },
  import: {
    group: 'Trained models:',
    summary: 'Make a checkpoint of weights from elsewhere, to predict with.',
  },
  export: {
    group: 'Trained models:',
    summary: 'Write a model for other programs, and a model card beside it.',
  },
  devices: {
    group: 'This machine:',
    summary: 'List the WebGPU adapters: usable ones, refused ones and why.',
  },
  bench: {
    group: 'This machine:',
    summary: 'Time kernels and training steps, beside other libraries.',
  },
} as const satisfies Record<string, { readonly group: string; readonly summary: string }>;

export type CommandName = keyof typeof COMMANDS;

export function isCommandName(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}
