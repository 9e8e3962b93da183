import { describe, expect, test } from 'vitest';
import { exportTimm } from '../../../src/models/weights/timm-weights.js';
import { recipeSchema } from '../../../src/recipe/recipe-schema.js';
import { testDevice } from '../../device.js';
import { expectDigest, relativeError } from '../../golden/digest.js';
import { goldenBatch, goldenModel } from '../../golden/model-golden.js';
import { TRAINED_RESNET_GOLDENS } from '../../golden/resnet-golden.js';
import { openStep } from './open-step.js';

describe('ten AdamW steps follow PyTorch', () => {
  for (const golden of TRAINED_RESNET_GOLDENS) {
    test(`${golden.arch}, ${golden.stem} stem`, async () => {
      const device = await testDevice();
      const { definition, weights } = goldenModel(golden);
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
      const { state, program } = await openStep(device, {
        definition,
        weights,
        recipe,
        images: golden.images,
        steps: 10,
      });
      const batch = goldenBatch(golden);
      for (let step = 0; step < 10; step++) program.run(batch, step);
      const scalars = await program.scalars();

      // Adam divides by the gradient's own size, so rounding grows from step to step, in PyTorch too: what float32 costs
      // PyTorch over these ten steps, times four, is allowed where that is more than the bound. The bound itself is what
      // another order of summation costs: PyTorch with other thread counts is up to 8e-4 off its own float64.
      const tolerance = (kind: string) => {
        // single weights whose gradient is close to nothing follow the sign of a rounding error, lr a step
        const least = kind === 'parameters' ? 5e-3 : 5e-4;
        return Math.max(least, 4 * golden.float32Error[`adamw.${kind}`]!.worst);
      };
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
