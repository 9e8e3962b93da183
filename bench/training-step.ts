import { elementCount } from '#src/engine/graph/tensor.js';
import {
  defineModel,
  initialParameters,
  initialStatistics,
  type ModelDefinition,
} from '#src/models/model.js';
import { exportTimm } from '#src/models/weights/timm-weights.js';
import { lossOf } from '#src/recipe/recipe-loss.js';
import { recipeSchema } from '#src/recipe/recipe-schema.js';
import { StepProgram } from '#src/train/step/step-program.js';
import { TrainingState } from '#src/train/step/training-state.js';
import { type PytorchHost, type PytorchTensor, pytorchStepEntrant } from './contenders/pytorch.js';
import type { TailrayHost } from './contenders/tailray.js';
import { settleTfjs, type Tf, type TfjsHost, type TfTensor, type TfVariable } from './contenders/tfjs.js';
import { TfjsAdamW } from './contenders/tfjs-adamw.js';
import type { Entrant, TensorForm } from './entrant.js';
import { operandValues, toChannelsFirst } from './operand-values.js';
import { TfjsScope } from './tfjs-networks/tfjs-scope.js';
import type { Workload } from './workload.js';

/**
 * A whole step of training: forward, loss (binary cross-entropy), backward, AdamW on every parameter, and batch norm's
 * running statistics. All libraries start from the same weights and the same batch; what is compared is the loss of the
 * first three steps, since the second and third depend on everything that the steps before them did.
 */
export interface TrainingStep {
  /** timm's name of the network. */
  readonly arch: string;
  readonly batch: number;
  /** Pixels a side. */
  readonly image: number;
  readonly onlyOnGpu?: boolean;
  /** The network in tfjs. @returns logits */
  readonly tfjs?: (scope: TfjsScope, images: TfTensor) => TfTensor;
  /** torchvision has the network under the same name, with the same names of tensors. */
  readonly torchvision?: boolean;
}

const CLASSES = 14;
const CHANNELS = 3;
const SETTINGS = { learningRate: 1e-3, weightDecay: 0.05 };
/** What the host does is no work of the adapter. */
const NOTHING = { flops: 0, bytes: 0 };
/** Steps that a round of the host side is the mean of. */
const HOST_STEPS = 5;
/** Steps whose losses are compared. */
const CHECKED = 3;
/** Adam divides by the gradient's own size, so a rounding error of the first step is a thousandth in the third. */
const STEP_TOLERANCE = 1e-2;

export function trainingStep(step: TrainingStep): Workload {
  const { arch, batch, image, onlyOnGpu, tfjs, torchvision } = step;
  return {
    name: `${arch}-${image}px-batch${batch}`,
    direction: 'step',
    shape: `${batch}×${image}×${image}×${CHANNELS}, ${CLASSES} classes`,
    dtype: 'f32',
    tolerance: STEP_TOLERANCE,
    ...(onlyOnGpu && { onlyOnGpu }),
    entries: {
      tailray: (host) => tailrayStep(host, step),
      ...(tfjs && { 'tfjs-webgpu': (host) => tfjsStep(host, step, tfjs) }),
      ...(torchvision && { 'pytorch-cpu': (host) => pytorchStep(host, step) }),
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
        const { program, batch, ...rest } = await tailrayProgram(host, step);
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

async function tailrayStep(host: TailrayHost, step: TrainingStep): Promise<Entrant> {
  const { program, batch, ...rest } = await tailrayProgram(host, step);
  let done = 0;
  let losses: number[] = [];
  const round = async (repeats: number) => {
    for (let i = 0; i < repeats; i++) program.run(batch, done++);
    losses = (await program.scalars()).map(({ loss }) => loss);
  };
  return { ...rest, round, results: () => firstLosses(() => losses, round) };
}

async function tailrayProgram({ device, tuning }: TailrayHost, step: TrainingStep) {
  const { definition, weights, images, targets } = startOf(step);
  const recipe = recipeSchema.parse({
    loss: { name: 'bce' },
    optimizer: {
      name: 'adamw',
      lr: SETTINGS.learningRate,
      weightDecay: SETTINGS.weightDecay,
      clipNorm: false,
    },
    ema: false,
  });
  const state = await TrainingState.create(device, definition, recipe);
  state.initialise(weights.parameters, weights.statistics);
  const program = await StepProgram.create(device, {
    definition,
    state,
    recipe,
    loss: lossOf(recipe.loss),
    statistics: { classCounts: new Array<number>(CLASSES).fill(1), samples: step.batch },
    schedule: { kind: 'constant', warmupSteps: 0, totalSteps: 1, floor: 0 },
    stepsPerEpoch: 1,
    batchSize: step.batch,
    // as the other libraries are given theirs
    images: { kind: 'images', shape: [step.image, step.image, CHANNELS] },
    tuning,
  });
  return {
    program,
    batch: { images, targets },
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
  const { definition, weights, images, targets, forms } = startOf(step);
  const x = tf.tensor(images, forms.images.shape);
  const y = tf.tensor(targets, forms.targets.shape);
  const variables = {
    parameters: variablesOf(tf, definition.parameters, weights.parameters),
    statistics: variablesOf(tf, definition.statistics, weights.statistics),
  };
  const updates = new Map(
    definition.parameters.flatMap(({ name, decay }) => {
      const weight = variables.parameters.get(name);
      const weightDecay = decay ? SETTINGS.weightDecay : 0;
      return weight ? [[weight.name, new TfjsAdamW(tf, weight, { ...SETTINGS, weightDecay })] as const] : [];
    }),
  );
  const lossOf = () => {
    const logits = network(new TfjsScope(tf, variables), x);
    return tf.mean(tf.sub(tf.softplus(logits), tf.mul(logits, y)));
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

function variablesOf(
  tf: Tf,
  specs: ModelDefinition['parameters'] | ModelDefinition['statistics'],
  values: ReadonlyMap<string, Float32Array>,
): Map<string, TfVariable> {
  return new Map(
    specs.map(({ name, shape }) => {
      const initial = values.get(name) ?? new Float32Array(elementCount(shape));
      return [name, tf.tidy(() => tf.variable(tf.tensor(initial, shape), true))];
    }),
  );
}

async function pytorchStep(host: PytorchHost, step: TrainingStep): Promise<Entrant> {
  const { definition, weights, images, targets, forms } = startOf(step);
  const tensors = exportTimm(definition, weights);
  const named = (specs: readonly { readonly name: string }[]) =>
    new Map(
      specs.flatMap(({ name }): [string, PytorchTensor][] => {
        const tensor = tensors.get(name);
        return tensor?.data instanceof Float32Array
          ? [[name, { shape: tensor.shape, values: tensor.data }]]
          : [];
      }),
    );
  const entrant = await pytorchStepEntrant(host, {
    model: step.arch,
    parameters: named(definition.parameters),
    statistics: named(definition.statistics),
    batch: [toChannelsFirst(forms.images, images), { shape: forms.targets.shape, values: targets }],
    ...SETTINGS,
  });
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

function startOf({ arch, batch, image }: TrainingStep) {
  const definition = defineModel({ arch, classes: CLASSES, inChannels: CHANNELS });
  const forms: Record<'images' | 'targets', TensorForm> = {
    images: { shape: [batch, image, image, CHANNELS], layout: 'image' },
    targets: { shape: [batch, CLASSES], fill: 'labels' },
  };
  const parameters = initialParameters(definition, 0);
  // A layer scale starts so small that nobody could tell a wrong block from a right one by the loss.
  for (const [name, values] of parameters) if (name.endsWith('.gamma')) values.fill(0.1);
  return {
    definition,
    weights: { parameters, statistics: initialStatistics(definition) },
    images: operandValues(forms.images, 0),
    targets: operandValues(forms.targets, 1),
    forms,
  };
}
