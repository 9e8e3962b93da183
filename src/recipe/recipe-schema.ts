import { z } from 'zod';
import { augmentSchema } from '../data/images/augment.js';
import { preprocessingSchema } from '../data/images/preprocessing.js';
import { samplerSchema } from '../data/sampling/sampler-choice.js';
import { STEMS } from '../models/backbones/backbone.js';
import { headSchema } from '../models/heads/head-schema.js';
import { parseByteSize } from '../text/byte-size.js';
import { nameSum } from './merge-recipe.js';
import { groupsSchema } from './recipe-groups.js';
import { imageSizeSchema } from './recipe-image-size.js';
import { zeroshotSchema } from './recipe-zeroshot.js';

/**
 * Everything that decides a training run, apart from the code and the pictures. Every field has a default, so `{}` is a
 * recipe; unknown fields are errors, so a typing mistake never trains quietly with the default.
 */

/** Where relative paths start, if not in the working directory; see recipe-paths.ts. */
export const FROM_RECIPE = 'recipe';

const fraction = z.number().min(0).max(1);

/** What is drawn where no data are given; see `synth`. */
const phantomsSchema = z.strictObject({
  images: z.int().min(10).max(1_000_000).default(600).describe('of training and test together'),
  size: z
    .int()
    .min(1)
    .max(8192)
    .optional()
    .describe('pixels a side; absent: the longer side that the network sees'),
  seed: z.int().min(0).default(0),
  testFraction: fraction.lt(1).default(0.2).describe('share of patients held out'),
  imbalance: z.number().min(1).default(1076).describe('most common over rarest class'),
  minPositives: z.int().min(0).default(0).describe('least positives of every class in training'),
  laterals: fraction.default(0).describe('share of lateral views'),
  labelNoise: fraction.default(0).describe('share of positives that the labels miss, and as many false ones'),
  unknown: fraction.default(0).describe('share of labels left blank'),
});

/** Where labels and pictures come from. Without `path`, phantoms are drawn (simulated pictures). */
const dataSchema = z.strictObject({
  path: z
    .string()
    .min(1)
    .optional()
    .describe('label table (CSV, or MedMNIST’s .npz), or a folder with one; absent: phantoms'),
  images: z.string().min(1).optional().describe('image folder; absent: the folder of the table'),
  layout: z
    .enum(['cxrlt', 'nih', 'chexpert', 'medmnist', 'plain'])
    .optional()
    .describe('layout of the table; absent: recognised by its header'),
  classes: z.array(z.string().min(1)).min(1).optional().describe('the classes wanted, in this order'),
  imageColumn: z.string().min(1).optional().describe('column with the image identifier'),
  patientColumn: z.string().min(1).optional().describe('column with the patient identifier'),
  uncertain: z
    .enum(['unknown', 'zeros', 'ones'])
    .default('unknown')
    .describe('what an uncertain label (−1) counts as: masked out, absent or present'),
  blank: z
    .enum(['unknown', 'zeros'])
    .default('unknown')
    .describe('what a blank label counts as: masked out or absent'),
  validationFraction: fraction
    .lt(1)
    .default(0.1)
    .describe('share of the training part for validation, where the data bring none'),
  testFraction: fraction.lt(1).default(0).describe('share for testing, where the data bring none'),
  splitSeed: z.int().min(0).default(42).describe('of the drawn split'),
  stratify: z.boolean().default(true).describe('deal out patients of rare classes first'),
  phantoms: phantomsSchema.prefault({}),
  lenient: z
    .boolean()
    .optional()
    .describe('use damaged pictures as far as they decode, instead of leaving them out'),
  cacheMiB: z.number().min(0).max(1e6).default(1024).describe('memory for prepared pictures'),
});

/** Of the model, what each stage may have of its own. */
const stageModelFields = {
  head: headSchema.prefault('linear'),
  dropRate: z.number().min(0).lt(1).default(0).describe('dropout of the features before the head'),
  dropPathRate: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe('stochastic depth: rises over the residual blocks from 0 to this'),
};

/** Names of the settings of the model that each stage may have of its own. */
export const STAGE_MODEL_SETTINGS: readonly string[] = Object.keys(stageModelFields);

const modelSchema = z.strictObject({
  arch: z.string().min(1).default('resnet18').describe('timm’s name of the architecture'),
  stem: z
    .enum(STEMS)
    .optional()
    .describe(
      'absent: the architecture’s own. ResNet: imagenet; deep: three 3×3 (the d networks’); small: 3×3 stride 1 ' +
        'without pooling, for pictures of 32–64 pixels; small-stride2: a quarter of its cost. ConvNeXt: patch, overlap, overlap_tiered (timm’s)',
    ),
  width: z
    .int()
    .min(1)
    .max(1024)
    .optional()
    .describe('channels of the first stage; absent: as in the published network'),
  imageSize: imageSizeSchema.optional(),
  ...stageModelFields,
  weights: z
    .string()
    .min(1)
    .optional()
    .describe(
      'to start from: safetensors or PyTorch file in timm’s naming, or hf-hub:owner/name@revision:file',
    ),
  weightsHead: z
    .enum(['keep', 'reset'])
    .default('keep')
    .describe('reset: start with a fresh head instead of the one in the weights, which else must fit'),
  adapters: z
    .string()
    .min(1)
    .optional()
    .describe('file of LoRA adapters to merge into the weights: best.adapters.safetensors, or one of PEFT’s'),
});

/** Checked by the optimizer or loss itself (see recipe.ts): it brings its own parameters and their ranges. */
const ownParameter = z.unknown();

const optimizerFields = {
  name: z.string().min(1).default('adamw').describe('a registered optimizer'),
  lr: z.number().positive().max(100).default(1e-3).describe('learning rate at the top of the schedule'),
  weightDecay: z.number().min(0).max(10).default(0.01).describe('of weights, see decayNormsAndBiases'),
  decayNormsAndBiases: z
    .boolean()
    .default(false)
    .describe('whether weight decay applies to these vectors, too'),
  clipNorm: z
    .union([z.literal(false), z.number().positive()])
    .default(1)
    .describe('largest L2 norm of the whole gradient, or false'),
  groups: groupsSchema,
  layerDecay: z
    .number()
    .positive()
    .max(1)
    .default(1)
    .describe('factor of the rate from each residual block to the one before it; 1: none'),
  freezeNorms: z
    .boolean()
    .default(true)
    .describe('whether frozen batch norms go by their running statistics and leave them as they are'),
};

/** Names of the settings that every optimizer has. */
export const OPTIMIZER_SETTINGS: readonly string[] = Object.keys(optimizerFields);

const optimizerSchema = z
  .object(optimizerFields)
  .catchall(ownParameter)
  .describe('the other fields are the optimizer’s own parameters');

const scheduleSchema = z
  .strictObject({
    epochs: z.int().min(1).max(100_000).default(10),
    kind: z
      .enum(['cosine', 'clipped-cosine', 'constant'])
      .default('cosine')
      .describe('after the warm-up; cosine ends at the floor, clipped-cosine goes towards 0 and stops at it'),
    by: z
      .enum(['step', 'epoch'])
      .default('step')
      .describe('whether the rate changes with each step, or stays the same through an epoch'),
    warmupEpochs: z.number().min(0).default(0).describe('epochs of linear warm-up; may be a fraction'),
    warmupSteps: z.int().min(0).optional().describe('the same in steps; instead of warmupEpochs'),
    floor: fraction.default(0.01).describe('fraction of the rate that the cosine ends at'),
  })
  .refine((schedule) => schedule.warmupSteps === undefined || schedule.warmupEpochs === 0, {
    path: ['warmupSteps'],
    message: 'give warmupEpochs or warmupSteps, not both',
  })
  .refine(
    ({ by, warmupEpochs, warmupSteps }) =>
      by === 'step' || (Number.isInteger(warmupEpochs) && warmupSteps === undefined),
    { path: ['warmupEpochs'], message: 'must be whole epochs where the rate changes by epoch' },
  );

const emaSchema = z.union([
  z.literal(false),
  z.strictObject({
    decay: z.number().min(0).lt(1).default(0.9999),
    warmup: z.boolean().default(true).describe('start from a short memory (timm’s ModelEmaV3)'),
  }),
]);

const lossSchema = z.preprocess(
  nameSum,
  z
    .object({
      name: z
        .string()
        .min(1)
        .default('bce')
        .describe('a registered loss, or a file with one of your own; sum, which may be left out: see there'),
      reduction: z.enum(['mean', 'sum', 'batchmean']).default('mean').describe('over the known labels'),
    })
    .catchall(ownParameter)
    .describe('the other fields are the loss’s own parameters; of a sum, its parts: [{name, weight, …}]'),
);

const augmentationSchema = z.union([z.literal(false), augmentSchema]);
const batchSizeSchema = z.int().min(1).max(65536);
const precisionSchema = z.enum(['f32', 'f16']);
const accumulateSchema = z.int().min(1).max(4096);

/** A setting of the model that belongs to the whole run. */
function ofAllStages(setting: string) {
  return z.never(`all stages train one backbone: say model.${setting} for the whole recipe`).optional();
}

const stageModelSchema = z.strictObject({
  imageSize: imageSizeSchema.optional(),
  ...stageModelFields,
  arch: ofAllStages('arch'),
  stem: ofAllStages('stem'),
  width: ofAllStages('width'),
  weights: ofAllStages('weights'),
  weightsHead: ofAllStages('weightsHead'),
  adapters: ofAllStages('adapters'),
});

/** One of several trainings in a row (see recipe-stages.ts). What is absent is as in the recipe, not as in the stage before. */
const stageSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[\w.-]+$/, 'letters, digits, ".", "_" and "-" only')
    .optional()
    .describe('in what is printed'),
  start: z
    .enum(['last', 'best'])
    .default('last')
    .describe('from which weights of the stage before: the validated ones after its last step, or its best'),
  head: z
    .enum(['keep', 'reset'])
    .default('keep')
    .describe(
      'reset: the head starts from fresh weights; needed where the stage before had another head or other classes',
    ),
  data: dataSchema
    .optional()
    .describe(
      'another set to train and validate on. One that names another path has none of the recipe’s images, layout, ' +
        'classes and columns',
    ),
  preprocessing: preprocessingSchema.optional(),
  model: stageModelSchema
    .optional()
    .describe('its head, dropRate and dropPathRate: the backbone is the run’s'),
  augment: augmentationSchema.optional(),
  sampler: samplerSchema.optional(),
  loss: lossSchema.optional(),
  optimizer: optimizerSchema.optional(),
  schedule: scheduleSchema.optional(),
  batchSize: batchSizeSchema.optional(),
  accumulate: accumulateSchema.optional(),
  precision: precisionSchema.optional(),
  ema: emaSchema.optional(),
});

/** What becomes of a run whose loss or gradient is not finite. */
const divergenceSchema = z.strictObject({
  action: z
    .enum(['stop', 'rollback'])
    .default('stop')
    .describe(
      'rollback: go back to the last state saved at an epoch’s end, and on with a lower learning rate',
    ),
  factor: z
    .number()
    .positive()
    .lt(1)
    .default(0.5)
    .describe('of the learning rate, with each rollback, to the end of the stage'),
  most: z.int().min(1).max(100).default(3).describe('rollbacks of a stage, before the run stops after all'),
});

export const recipeSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[\w.-]+$/, 'letters, digits, ".", "_" and "-" only: it names the run’s folder')
    .optional()
    .describe('names the run’s folder; absent: the recipe file’s name'),
  seed: z.int().min(0).default(0).describe('of everything random in training'),
  data: dataSchema.prefault({}),
  preprocessing: preprocessingSchema.prefault({}),
  augment: augmentationSchema.prefault({}),
  sampler: samplerSchema
    .prefault({})
    .describe(
      'which images an epoch visits, and how often: shuffled, repeat-factor, class-aware, square-root',
    ),
  model: modelSchema.prefault({}),
  zeroshot: zeroshotSchema,
  loss: lossSchema.prefault({}),
  optimizer: optimizerSchema.prefault({}),
  schedule: scheduleSchema.prefault({}),
  batchSize: batchSizeSchema.default(32),
  accumulate: accumulateSchema
    .default(1)
    .describe(
      'batches whose gradients are added up for one step of the optimizer: as a batch of so many times the size, but ' +
        'for batch norms, which see one batch at a time',
    ),
  precision: precisionSchema
    .default('f32')
    .describe(
      'f16: activations and weights in half precision, f32 master weights and sums, dynamic loss scaling',
    ),
  memory: z
    .string()
    .refine((text) => parseByteSize(text) !== undefined, 'must be a size such as 4GiB or 512MiB')
    .optional()
    .describe(
      'what training may take on the adapter, such as 4GiB; where it would take more, values are computed twice ' +
        'instead of kept (same results, slower); absent: no limit but the adapter’s',
    ),
  ema: emaSchema.prefault({}),
  validation: z
    .strictObject({
      every: z
        .int()
        .min(1)
        .default(1)
        .describe('epochs between two validations; the last one is always validated'),
      ema: z.boolean().default(true).describe('validate and keep the averaged weights, where there are any'),
      patience: z
        .int()
        .min(1)
        .optional()
        .describe('epochs without a better validation after which a stage ends early; absent: none does'),
    })
    .prefault({}),
  checkpoint: z
    .strictObject({
      every: z.int().min(1).default(1).describe('epochs between two saved states for resuming'),
      minutes: z
        .number()
        .positive()
        .optional()
        .describe('the state is also saved when so many minutes have passed since the last time'),
      keep: z
        .int()
        .min(1)
        .max(100)
        .default(1)
        .describe('weights of so many best validated epochs are kept, in kept/ where they are more than one'),
      best: z
        .enum(['last-stage', 'any-stage'])
        .default('last-stage')
        .describe('where there are stages: whose epochs compete for best.safetensors'),
    })
    .prefault({}),
  divergence: divergenceSchema.prefault({}),
  logEvery: z.int().min(1).max(10_000).default(10).describe('steps between two lines of metrics.jsonl'),
  stages: z
    .array(stageSchema)
    .min(1)
    .optional()
    .describe('trainings one after the other, each with its changes to the recipe'),
  pathsFrom: z
    .literal(FROM_RECIPE)
    .optional()
    .describe('relative paths start in the folder of the recipe’s file; absent: in the working directory'),
});

type ParsedRecipe = z.infer<typeof recipeSchema>;

type ParsedModel = ParsedRecipe['model'];

export type StageRecipe = Omit<NonNullable<ParsedRecipe['stages']>[number], 'model'> & {
  readonly model?: Pick<ParsedModel, keyof typeof stageModelFields> | undefined;
};

/** A complete recipe: every field there, no short forms, and no paths that depend on where its file lies. */
export type Recipe = Omit<ParsedRecipe, 'model' | 'pathsFrom' | 'stages'> & {
  readonly model: Omit<ParsedModel, 'imageSize'>;
  readonly stages?: readonly StageRecipe[] | undefined;
};
export type OptimizerRecipe = Recipe['optimizer'];
