import { describe, expect, test } from 'vitest';
import { defineModel } from '../../src/models/model.js';
import { exportTimm, importTimm } from '../../src/models/timm-weights.js';
import { recipeSchema } from '../../src/train/recipe-schema.js';
import { StepProgram } from '../../src/train/step-program.js';
import { TrainingState } from '../../src/train/training-state.js';
import { testDevice } from '../device.js';
import { type Digest, expectDigest, relativeError } from '../golden/digest.js';
import { readGolden, withNaN } from '../golden/golden-files.js';
import { hashImages, hashTensor } from '../golden/hash-weights.js';

interface StepsGolden {
  readonly arch: string;
  readonly stem: 'imagenet' | 'small';
  readonly classes: number;
  readonly images: [number, number, number, number];
  readonly pictures: number;
  readonly targets: (number | null)[][];
  readonly shapes: Record<string, number[]>;
  readonly adamw: {
    readonly losses: readonly number[];
    readonly gradientNorms: readonly number[];
    readonly parameters: Record<string, Digest>;
  };
  /** How far PyTorch in float32 is from PyTorch in float64. */
  readonly float32Error: Record<string, { readonly worst: number }>;
}

describe('ten AdamW steps follow PyTorch', () => {
  for (const file of ['resnet18-small.json.gz', 'resnet18.json.gz', 'resnet50.json.gz']) {
    const golden = readGolden<StepsGolden>(file);
    test(`${golden.arch}, ${golden.stem} stem`, async () => {
      const device = await testDevice();
      const [batchSize, height, width, channels] = golden.images;
      const { arch, stem, classes } = golden;
      const definition = defineModel({ arch, stem, classes, inChannels: channels });
      // as in make_resnet.py: lr 1e-3 without schedule, decay 0.05 on matrices, clip-norm 1
      const recipe = recipeSchema.parse({
        loss: { name: 'bce' },
        optimizer: {
          name: 'adamw',
          lr: 1e-3,
          weightDecay: 0.05,
          betas: [0.9, 0.999],
          eps: 1e-8,
          clipNorm: 1,
        },
        ema: false,
      });
      const state = await TrainingState.create(device, definition, recipe);
      const weights = importTimm(
        definition,
        new Map(
          Object.entries(golden.shapes).map(([name, shape]) => [
            name,
            { dtype: 'F32' as const, shape, data: hashTensor(name, shape) },
          ]),
        ),
      );
      state.initialise(weights.parameters, weights.statistics);
      const program = await StepProgram.create(device, {
        definition,
        state,
        recipe,
        statistics: { classCounts: new Array<number>(classes).fill(1), samples: batchSize },
        schedule: { kind: 'constant', warmupSteps: 0, totalSteps: 10, floor: 0 },
        batchSize,
        imageShape: [height, width, channels],
      });
      const batch = {
        images: hashImages(golden.images, golden.pictures),
        targets: Float32Array.from(withNaN(golden.targets.flat())),
      };
      for (let step = 0; step < 10; step++) program.run(batch, step);
      const scalars = await program.scalars();

      // Adam divides by the gradient's own size, so rounding grows from step to step, in PyTorch too: what float32 costs
      // PyTorch over these ten steps, times four, is allowed where that is more than the bound.
      const tolerance = (kind: string) => Math.max(1e-4, 4 * golden.float32Error[`adamw.${kind}`]!.worst);
      const { losses, gradientNorms } = golden.adamw;
      expect(scalars).toHaveLength(10);
      expect(Math.abs(scalars[0]!.loss / losses[0]! - 1), 'first loss').toBeLessThan(1e-5);
      expect(Math.abs(scalars[1]!.loss / losses[1]! - 1), 'loss after one step').toBeLessThan(1e-5);
      expect(
        relativeError(
          scalars.map(({ loss }) => loss),
          losses,
        ),
      ).toBeLessThan(tolerance('losses'));
      expect(
        relativeError(
          scalars.map(({ gradientNorm }) => gradientNorm),
          gradientNorms,
        ),
      ).toBeLessThan(tolerance('gradientNorms'));
      const parameters = await state.arena('params').readAll();
      const exported = exportTimm(definition, { parameters, statistics: weights.statistics });
      for (const [name, digest] of Object.entries(golden.adamw.parameters)) {
        expectDigest(name, exported.get(name)!.data as Float32Array, digest, tolerance('parameters'));
      }
      program.destroy();
      state.destroy();
    });
  }
});
