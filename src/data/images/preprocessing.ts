import { z } from 'zod';

/**
 * How pixels become numbers. The description is plain data and travels with the checkpoint: a model only means
 * something together with the preprocessing it was trained with, so neither a script nor a flag decides it later.
 *
 * In order: grey value of the file → window to [0, 1] → antialiased bilinear resize → rounding to 8 or 16 bits →
 * (training: augmentation) → the grey value in every channel → (x − mean) / std.
 */

const unit = z.number().min(0).max(1);

const percentiles = {
  low: z.number().min(0).max(100).default(0.5),
  high: z.number().min(0).max(100).default(99.5),
};
const ascending = [
  (window: { low: number; high: number }) => window.low < window.high,
  'window.low must lie below window.high',
] as const;

/** Which grey values become 0 and 1; see `preprocessingSchema`. */
export const windowSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('percentile'), ...percentiles }).refine(...ascending),
  z.strictObject({ kind: z.literal('dicom'), ...percentiles }).refine(...ascending),
  z.strictObject({ kind: z.literal('full') }),
]);

export const preprocessingSchema = z
  .strictObject({
    /** [height, width] in pixels that the network sees. */
    size: z.tuple([z.int().min(1).max(8192), z.int().min(1).max(8192)]).default([224, 224]),
    /** 3 repeats the grey value, for weights pre-trained on colour pictures. */
    channels: z.union([z.literal(1), z.literal(3)]).default(1),
    /**
     * What becomes 0 and 1. `percentile`: two percentiles of a sample of the picture, as for 16-bit radiographs that
     * use a part of their range. `full`: 0 and the largest value of the file's depth (255 or 65535; of a DICOM file with
     * 12 bits, 4095). `dicom`: the first linear window that a DICOM file gives; percentiles where it gives none, and for
     * other files.
     */
    window: windowSchema.default({ kind: 'percentile', low: 0.5, high: 99.5 }),
    /**
     * Separable triangle filter, half-pixel centres, stretched by the scale when shrinking: PIL's BILINEAR,
     * torchvision's and PyTorch's `antialias=True`.
     */
    resize: z.literal('bilinear').default('bilinear'),
    /**
     * Depth of the prepared picture, and of what travels to the device: 8 takes half of the memory and of the upload, 16
     * keeps more shades of a 16-bit radiograph.
     */
    bits: z.union([z.literal(8), z.literal(16)]).default(16),
    /** Subtracted, then divided by, in units of the [0, 1] range: one value for all channels or one for each. */
    mean: z.array(unit).min(1).max(3).default([0.5]),
    std: z.array(z.number().positive().max(1)).min(1).max(3).default([0.25]),
  })
  .superRefine((value, context) => {
    for (const name of ['mean', 'std'] as const) {
      const n = value[name].length;
      if (n === 1 || n === value.channels) continue;
      context.addIssue({
        code: 'custom',
        path: [name],
        message: `has ${n} values for ${value.channels} channels; give 1 or ${value.channels}`,
      });
    }
  });

export type Preprocessing = z.infer<typeof preprocessingSchema>;

/** ImageNet's channel statistics, for backbones pre-trained on it. */
export const imagenetNormalisation = {
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};
