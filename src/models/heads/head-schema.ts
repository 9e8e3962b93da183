import { z } from 'zod';

/** A head as recipes and checkpoints name it: by name alone, or with options of its own beside the name. */
export const headSchema = z
  .union([
    z
      .string()
      .min(1)
      .transform((name): { name: string; [option: string]: unknown } => ({ name })),
    z.looseObject({ name: z.string().min(1) }),
  ])
  .describe('what makes logits of the features');
