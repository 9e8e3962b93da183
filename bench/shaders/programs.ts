import { planProgram } from '#src/engine/compile.js';
import type { PlanTarget } from '#src/engine/device.js';
import { Graph } from '#src/engine/graph/tensor.js';
import type { Plan } from '#src/engine/plan/plan.js';
import { CLIPS } from '#src/models/clip/clip-config.js';
import { imageTower } from '#src/models/clip/image-tower.js';
import { defineModel } from '#src/models/model.js';
import { planWeightArenas } from '#src/models/weight-arenas.js';
import { ImageInput } from '#src/predict/image-input.js';
import { InferenceProgram } from '#src/predict/inference-program.js';
import { lossOf } from '#src/recipe/recipe-loss.js';
import { recipeSchema } from '#src/recipe/recipe-schema.js';
import { StepProgram } from '#src/train/step/step-program.js';
import { planTrainingState } from '#src/train/step/training-state-plan.js';
import { BenchError } from '../bench-error.js';

/** The programs that kernels are judged by, planned for a device that need not be there. */
export interface JudgedWork {
  readonly plan: PlanMaker;
  /** Subgroup matrices are asked for. */
  readonly matrices?: boolean;
}

type PlanMaker = (target: PlanTarget) => readonly Plan[];

const CLASSES = 14;
const CHANNELS = 3;

const CONVNEXT_F16: Work = { arch: 'convnext_tiny', image: 224, batch: 32, precision: 'f16' };
const RESNET50_F16: Work = { arch: 'resnet50', image: 224, batch: 32, precision: 'f16' };

export const PROGRAMS: Readonly<Record<string, JudgedWork>> = {
  resnet18: { plan: training({ arch: 'resnet18', image: 64, batch: 8 }) },
  resnet50: { plan: training({ arch: 'resnet50', image: 224, batch: 32 }) },
  'resnet50-batch4': { plan: training({ arch: 'resnet50', image: 224, batch: 4 }) },
  'resnet50-f16': { plan: training(RESNET50_F16) },
  'resnet50-f16-matrices': { plan: training(RESNET50_F16), matrices: true },
  convnext_tiny: { plan: training({ arch: 'convnext_tiny', image: 224, batch: 32 }) },
  'convnext_tiny-f16': { plan: training(CONVNEXT_F16) },
  'convnext_tiny-f16-matrices': { plan: training(CONVNEXT_F16), matrices: true },
  'vit-large-inference': { plan: clipInference('ViT-L-14', 8) },
  'convnextv2_base-inference': { plan: inference({ arch: 'convnextv2_base', image: 512, batch: 8 }) },
};

/** All where none is wanted. @throws BenchError for a name that there is not */
export function selectPrograms(wanted: readonly string[]): string[] {
  const names = Object.keys(PROGRAMS);
  if (wanted.length === 0) return names;
  const missing = wanted.find((name) => !names.includes(name));
  if (missing !== undefined) {
    throw new BenchError(`there is no program "${missing}"; there are ${names.join(', ')}.`);
  }
  return [...wanted];
}

interface Work {
  readonly arch: string;
  /** Pixels a side. */
  readonly image: number;
  readonly batch: number;
  readonly precision?: 'f32' | 'f16';
}

/** A whole step: forward, loss, backward, AdamW, running statistics and the weights' average. */
function training({ arch, image, batch, precision = 'f32' }: Work): PlanMaker {
  return (target) => {
    const definition = defineModel({ arch, classes: CLASSES, inChannels: CHANNELS });
    const recipe = recipeSchema.parse({ precision });
    const loss = lossOf(recipe.loss);
    return StepProgram.plans(target, {
      definition,
      state: planTrainingState(definition, recipe, target.traits.maxBindingBytes, loss),
      recipe,
      loss,
      statistics: { classCounts: new Array<number>(CLASSES).fill(10), samples: 1000 },
      schedule: { kind: 'constant', warmupSteps: 0, totalSteps: 1, floor: 0 },
      stepsPerEpoch: 1,
      batchSize: batch,
      images: { kind: 'images', shape: [image, image, CHANNELS] },
    });
  };
}

function inference({ arch, image, batch }: Work): PlanMaker {
  return (target) => {
    const definition = defineModel({ arch, classes: CLASSES, inChannels: CHANNELS });
    const { params, stats } = planWeightArenas(definition, target.traits.maxBindingBytes);
    const preprocessing = {
      ...recipeSchema.parse({}).preprocessing,
      size: [image, image] as const,
      channels: CHANNELS,
    };
    return [
      InferenceProgram.plan(target, {
        definition,
        batchSize: batch,
        preprocessing,
        arenas: { params, stats },
      }),
    ];
  };
}

/** The image tower of a CLIP: a vision transformer. */
function clipInference(name: keyof typeof CLIPS, batchSize: number): PlanMaker {
  return (target) => {
    const config = CLIPS[name];
    if (!config) throw new BenchError(`there is no CLIP "${name}".`);
    const graph = new Graph();
    const tower = imageTower(config);
    const preprocessing = {
      ...config.preprocessing,
      size: config.image.size,
      bits: 16,
      channels: CHANNELS,
    } as const;
    const { images } = new ImageInput(graph, { preprocessing, batchSize });
    const { outputs } = tower.trace(graph, { images }, { mode: 'eval' });
    const { params } = planWeightArenas(tower, target.traits.maxBindingBytes);
    return [planProgram(target, { graph, outputs: [outputs.embedding], arenas: { params } })];
  };
}
