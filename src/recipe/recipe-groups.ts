import { z } from 'zod';

/**
 * The part of a recipe that treats parameters unequally: rates and decays by name, and which are frozen. What the
 * settings mean for a network is worked out in parameter-groups.ts.
 */

const settings = {
  lrScale: z.number().min(0).max(1000).default(1).describe('factor of the learning rate'),
  weightDecay: z.number().min(0).max(10).optional().describe('absent: the optimizer’s'),
  freeze: z.boolean().default(false).describe('keep these parameters as they are'),
};

const pattern = z.string().min(1);

const listedGroup = z.strictObject({
  match: z
    .union([pattern, z.array(pattern).min(1)])
    .describe(
      'backbone, head, a name of timm’s or of a module (layer1), a glob (layer1.*.conv?.weight) or a /regular expression/',
    ),
  ...settings,
});

const namedGroup = z
  .union([settings.lrScale.unwrap(), z.strictObject(settings)])
  .default(1)
  .describe('factor of the learning rate, or lrScale, weightDecay, freeze');

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
