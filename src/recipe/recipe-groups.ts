import { z } from 'zod';

/**
 * The part of a recipe that treats parameters unequally: rates and decays by name, which are frozen, and which get
 * adapters. What the settings mean for a network is worked out in parameter-groups.ts.
 */

const loraSchema = z.strictObject({
  rank: z.int().min(1).max(1024).default(8).describe('columns of A and rows of B'),
  alpha: z.number().positive().max(10_000).default(16).describe('the product A·B counts alpha / rank times'),
});

const settings = {
  lrScale: z.number().min(0).max(1000).default(1).describe('factor of the learning rate'),
  weightDecay: z.number().min(0).max(10).optional().describe('absent: the optimizer’s'),
  freeze: z.boolean().default(false).describe('keep these parameters as they are'),
  lora: loraSchema
    .optional()
    .describe(
      'keep these parameters as they are, and train low-rank adapters beside each linear layer among them',
    ),
};

/** What LoRA and freezing can't both say. */
const EITHER = {
  path: ['freeze'],
  message:
    'lora keeps these parameters as they are already, and trains adapters beside them: leave freeze out',
};

function notBoth({ freeze, lora }: { readonly freeze: boolean; readonly lora?: unknown }): boolean {
  return !(freeze && lora !== undefined);
}

const pattern = z.string().min(1);

const listedGroup = z
  .strictObject({
    match: z
      .union([pattern, z.array(pattern).min(1)])
      .describe(
        'backbone, head, a name of timm’s or of a module (layer1), a glob (layer1.*.conv?.weight) or a /regular expression/',
      ),
    ...settings,
  })
  .refine(notBoth, EITHER);

const namedGroup = z
  .union([settings.lrScale.unwrap(), z.strictObject(settings).refine(notBoth, EITHER)])
  .default(1)
  .describe('factor of the learning rate, or lrScale, weightDecay, freeze, lora');

export const groupsSchema = z
  .union([
    z.strictObject({ backbone: namedGroup, head: namedGroup }),
    z
      .array(listedGroup)
      .describe('the first that matches counts; what none matches is trained as the optimizer says'),
  ])
  .prefault({});

/** `optimizer.groups` of a recipe. */
export type GroupsRecipe = z.infer<typeof groupsSchema>;
