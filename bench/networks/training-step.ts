import type { BoundLoss } from '#src/losses/define/loss.js';
import { lossOf } from '#src/recipe/recipe-loss.js';
import { recipeSchema } from '#src/recipe/recipe-schema.js';
import { StepProgram } from '#src/train/step/step-program.js';
import { TrainingState } from '#src/train/step/training-state.js';
import { type PytorchHost, type PytorchStep, pytorchModelEntrant } from '../contenders/pytorch.js';
import type { TailrayHost } from '../contenders/tailray.js';
import { settleTfjs, type Tf, type TfjsHost, type TfTensor } from '../contenders/tfjs.js';
import { TfjsAdamW } from '../contenders/tfjs-adamw.js';
import type { Entrant, TensorForm } from '../entrant.js';
import { operandValues } from '../operand-values.js';
import type { Peer, Workload } from '../workload.js';
import { CHANNELS, type NetworkSizes, pytorchModel, startOf } from './network-start.js';
import { softmaxCrossEntropy } from './softmax-cross-entropy.js';
import { TfjsScope, variablesOf } from './tfjs/tfjs-scope.js';

/**
 * A whole step of training: forward, loss, backward, AdamW on every parameter, and batch norm's running statistics. All
 * libraries start from the same weights and the same batch; what is compared is the loss of the first three steps, since
 * the second and third depend on everything that the steps before them did.
 */
export interface TrainingStep extends NetworkSizes {
  readonly loss: keyof typeof LOSSES;
  /**
   * 1e-3 when absent. Adam's first steps go by the signs of gradients, those of rounding errors included: where they change
   * the loss by much, a smaller rate keeps what the libraries compute comparable.
   */
  readonly learningRate?: number;
  readonly onlyOnGpu?: 'everybody' | readonly Peer[];
  /** The network in tfjs. @returns logits */
  readonly tfjs?: (scope: TfjsScope, images: TfTensor) => TfTensor;
}

/** In tailray's terms, in tfjs, and for people. PyTorch knows them by these names. */
const LOSSES = {
  bce: {
    bound: (): BoundLoss => lossOf(recipeSchema.parse({ loss: { name: 'bce' } }).loss),
    targets: 'labels',
    tfjs: (tf: Tf, logits: TfTensor, y: TfTensor) => tf.mean(tf.sub(tf.softplus(logits), tf.mul(logits, y))),
    text: (classes: number) => `binary cross-entropy over ${classes} classes`,
  },
  'cross-entropy': {
    bound: (): BoundLoss => softmaxCrossEntropy.bind({}),
    targets: 'classes',
    tfjs: (tf: Tf, logits: TfTensor, y: TfTensor) =>
      tf.mean(tf.sub(tf.logSumExp(logits, 1), tf.sum(tf.mul(logits, y), [1]))),
    text: (classes: number) => `cross-entropy (softmax) over ${classes} classes`,
  },
} as const;

const WEIGHT_DECAY = 0.05;
const LEARNING_RATE = 1e-3;
/** What the host does is no work of the adapter. */
const NOTHING = { flops: 0, bytes: 0 };
/** Steps that a round of the host side is the mean of. */
const HOST_STEPS = 5;
/** Steps whose losses are compared. */
const CHECKED = 3;
/** Adam divides by the gradient's own size, so a rounding error of the first step is a thousandth in the third. */
const STEP_TOLERANCE = 1e-2;

export function trainingStep(step: TrainingStep): Workload {
  const { arch, batch, image, classes, stem, loss, onlyOnGpu, tfjs, torchvision } = step;
  const { learningRate = LEARNING_RATE } = step;
  return {
    name: `${arch}-${image}px-batch${batch}`,
    direction: 'step',
    shape: `${batch}×${image}×${image}×${CHANNELS}, ${classes} classes`,
    settings:
      `stem ${stem}; ${image} × ${image} pixels, RGB, batch ${batch}; forward, ${LOSSES[loss].text(classes)}, backward, ` +
      `AdamW (rate ${learningRate}) on all parameters; norms by the batch, running statistics followed; no augmentation, clipping or average`,
    tolerance: STEP_TOLERANCE,
    ...(onlyOnGpu && { onlyOnGpu }),
    entries: {
      tailray: (host) => tailrayStep(host, step, 'f32'),
      'tailray-f16': (host) => tailrayStep(host, step, 'f16'),
      ...(tfjs && { 'tfjs-webgpu': (host) => tfjsStep(host, step, tfjs) }),
      ...(torchvision !== undefined && {
        'pytorch-cpu': (host) => pytorchStep(host, step, torchvision),
        'pytorch-cuda': (host) => pytorchStep(host, step, torchvision),
      }),
    },
  };
}

/**
 * What takes the processor's time in a step of tailray's: recording and submitting it, the batch's way into the queue
 * included. The adapter's work is waited for between two steps and does not count.
 */
export function hostSideOf(step: TrainingStep): Workload {
  const { name, ...workload } = trainingStep(step);
  return {
    ...workload,
    name: `${name}-host-side`,
    cost: NOTHING,
    entries: {
      async tailray(host) {
        const { program, batch, ...rest } = await tailrayProgram(host, step, 'f32');
        let done = 0;
        let total = 0;
        return {
          ...rest,
          async round(repeats) {
            total = 0;
            for (let i = 0; i < repeats * HOST_STEPS; i++) {
              const start = performance.now();
              program.run(batch, done++);
              total += performance.now() - start;
              await host.device.idle();
            }
            await program.scalars();
          },
          counted: () => total / HOST_STEPS,
          results: async () => [],
        };
      },
    },
  };
}

async function tailrayStep(
  host: TailrayHost,
  step: TrainingStep,
  precision: 'f32' | 'f16',
): Promise<Entrant> {
  const { program, batch, ...rest } = await tailrayProgram(host, step, precision);
  let done = 0;
  let losses: number[] = [];
  const round = async (repeats: number) => {
    for (let i = 0; i < repeats; i++) program.run(batch, done++);
    losses = (await program.scalars()).map(({ loss }) => loss);
  };
  return { ...rest, round, results: () => firstLosses(() => losses, round) };
}

async function tailrayProgram({ device, tuning }: TailrayHost, step: TrainingStep, precision: 'f32' | 'f16') {
  const { definition, weights, images } = startOf(step);
  const recipe = recipeSchema.parse({
    optimizer: {
      name: 'adamw',
      lr: step.learningRate ?? LEARNING_RATE,
      weightDecay: WEIGHT_DECAY,
      clipNorm: false,
    },
    ema: false,
    precision,
  });
  const state = await TrainingState.create(device, definition, recipe);
  state.initialise(weights.parameters, weights.statistics);
  const program = await StepProgram.create(device, {
    definition,
    state,
    recipe,
    loss: LOSSES[step.loss].bound(),
    statistics: { classCounts: new Array<number>(step.classes).fill(1), samples: step.batch },
    schedule: { kind: 'constant', warmupSteps: 0, totalSteps: 1, floor: 0 },
    stepsPerEpoch: 1,
    batchSize: step.batch,
    // as the other libraries are given theirs
    images: { kind: 'images', shape: [step.image, step.image, CHANNELS] },
    tuning,
  });
  return {
    program,
    batch: { images, targets: operandValues(targetsOf(step), 1) },
    costs: program.rows,
    peakBytes: program.bytes + state.bytes,
    dispose() {
      program.destroy();
      state.destroy();
    },
  };
}

async function tfjsStep(
  { tf }: TfjsHost,
  step: TrainingStep,
  network: NonNullable<TrainingStep['tfjs']>,
): Promise<Entrant> {
  const before = tf.memory().numBytes;
  const { definition, weights, images, imageForm } = startOf(step);
  const { learningRate = LEARNING_RATE } = step;
  const targets = targetsOf(step);
  const x = tf.tensor(images, imageForm.shape);
  const y = tf.tensor(operandValues(targets, 1), targets.shape);
  const variables = {
    parameters: variablesOf(tf, definition.parameters, weights.parameters),
    statistics: variablesOf(tf, definition.statistics, weights.statistics),
  };
  const updates = new Map(
    definition.parameters.flatMap(({ name, decay }) => {
      const weight = variables.parameters.get(name);
      const weightDecay = decay ? WEIGHT_DECAY : 0;
      return weight ? [[weight.name, new TfjsAdamW(tf, weight, { learningRate, weightDecay })] as const] : [];
    }),
  );
  const lossOf = () => {
    const logits = network(new TfjsScope(tf, variables), x);
    return LOSSES[step.loss].tfjs(tf, logits, y);
  };
  let done = 0;
  let peakBytes = 0;
  let losses: TfTensor[] = [];
  const once = () => {
    done += 1;
    const { value, grads } = tf.variableGrads(lossOf, [...variables.parameters.values()]);
    for (const [name, gradient] of Object.entries(grads)) updates.get(name)?.update(gradient, done);
    tf.dispose(Object.values(grads));
    losses.push(value);
  };
  const round = async (repeats: number) => {
    tf.dispose(losses);
    losses = [];
    // the first step tells the memory
    if (done === 0) ({ peakBytes } = await tf.profile(once));
    while (losses.length < repeats) once();
    await settleTfjs(tf);
  };
  const values = async () => {
    const all: number[] = [];
    for (const loss of losses) all.push(...(await loss.data()));
    return all;
  };
  return {
    round,
    results: () => firstLosses(values, round),
    get peakBytes() {
      return peakBytes - before;
    },
    dispose() {
      for (const update of updates.values()) update.dispose();
      tf.dispose([...losses, ...variables.statistics.values(), x, y]);
    },
  };
}

async function pytorchStep(host: PytorchHost, step: TrainingStep, model: string): Promise<Entrant> {
  const start = pytorchModel(model, startOf(step));
  const targets = targetsOf(step);
  const work: PytorchStep = {
    ...start,
    batch: [...start.batch, { shape: targets.shape, values: operandValues(targets, 1) }],
    loss: step.loss,
    learningRate: step.learningRate ?? LEARNING_RATE,
    weightDecay: WEIGHT_DECAY,
  };
  const entrant = await pytorchModelEntrant(host, work, { shape: [1] });
  const last = async () => [...((await entrant.results())[0] ?? [])];
  return { ...entrant, results: () => firstLosses(last, entrant.round) };
}

/** The losses of the first steps, one of which has been done. */
async function firstLosses(
  last: () => number[] | Promise<number[]>,
  round: Entrant['round'],
): Promise<Float32Array[]> {
  const losses = await last();
  while (losses.length < CHECKED) {
    await round(1);
    losses.push(...(await last()));
  }
  return losses.map((loss) => Float32Array.of(loss));
}

function targetsOf({ batch, classes, loss }: TrainingStep): TensorForm {
  return { shape: [batch, classes], fill: LOSSES[loss].targets };
}
