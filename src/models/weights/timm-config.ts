import { z } from 'zod';

/** What timm's repositories say of their weights in `config.json`, as far as it matters here. */
export interface PretrainedConfig {
  /** timm's name. */
  readonly architecture?: string | undefined;
  /** How images were normalised in training, in units of [0, 1]; one value a channel. */
  readonly mean?: readonly number[] | undefined;
  readonly std?: readonly number[] | undefined;
}

const channels = z.array(z.number()).min(1).max(16).optional().catch(undefined);

const configSchema = z.object({
  architecture: z.string(),
  pretrained_cfg: z.object({ mean: channels, std: channels }).optional().catch(undefined),
});

/** @returns null for a text that is no JSON, or another library's (transformers names no `architecture`) */
export function parseTimmConfig(text: string): PretrainedConfig | null {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return null;
  }
  const parsed = configSchema.safeParse(content);
  if (!parsed.success) return null;
  const { architecture, pretrained_cfg: pretrained } = parsed.data;
  // older files have the tag of the weights behind the name
  const [name] = architecture.split('.', 1);
  return { architecture: name, mean: pretrained?.mean, std: pretrained?.std };
}
