import { z } from 'zod';
import { type Lora, moduleOfWeight } from '../models/lora.js';
import type { ParameterSpec } from '../models/model-scope.js';
import { parseJson } from '../storage/parse-json.js';

/**
 * What PEFT says of LoRA adapters in the `adapter_config.json` beside their tensors, as far as it matters here. Our own
 * files hold the same text in their metadata.
 */

const configSchema = z.object({
  peft_type: z.literal('LORA'),
  r: z.int().min(1),
  lora_alpha: z.number(),
  /** Modules with another rank or alpha than the rest, by the end of their names. */
  rank_pattern: z.record(z.string(), z.int().min(1)).nullish(),
  alpha_pattern: z.record(z.string(), z.number()).nullish(),
  target_modules: z.union([z.string(), z.array(z.string())]).nullish(),
  /** Modules that were trained as a whole. */
  modules_to_save: z.array(z.string()).nullish(),
  /** The product counts alpha / √rank times (Kalajdzievski, arXiv 2312.03732). */
  use_rslora: z.boolean().nullish(),
  use_dora: z.boolean().nullish(),
  init_lora_weights: z.union([z.boolean(), z.string()]).nullish(),
  base_model_name_or_path: z.string().nullish(),
});

export type PeftConfig = z.infer<typeof configSchema>;

/** Ways to start that take something out of the base weights first, so that adapters fit no others. */
const CHANGES_BASE = /^(pissa|olora|loftq|corda|lora_ga)/i;

/** @returns the configuration, or why adapters with it can't be merged here */
export function parsePeftConfig(text: string): PeftConfig | { readonly reason: string } {
  const parsed = configSchema.safeParse(parseJson(text));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { reason: `is no configuration of LoRA (${issue?.path.join('.')}: ${issue?.message})` };
  }
  const config = parsed.data;
  if (config.use_dora) return { reason: 'says use_dora: such adapters are not read here, only plain LoRA' };
  const init = config.init_lora_weights;
  if (typeof init === 'string' && CHANGES_BASE.test(init)) {
    return {
      reason:
        `says init_lora_weights: "${init}", which changed the base weights: convert the adapters to plain LoRA ` +
        'in PEFT first (save_pretrained with path_initial_model_for_weight_conversion)',
    };
  }
  const odd = [config.rank_pattern, config.alpha_pattern]
    .flatMap((pattern) => Object.keys(pattern ?? {}))
    .find((key) => !/^[\w.-]+$/.test(key));
  if (odd === undefined) return config;
  return { reason: `has the pattern "${odd}" of modules: only names of modules, or ends of them, are read` };
}

/** Rank and alpha of a module's adapter. */
export function loraOf(config: PeftConfig, module: string): Lora {
  const own = <T>(pattern: Readonly<Record<string, T>> | null | undefined, otherwise: T): T =>
    Object.entries(pattern ?? {}).find(([key]) => module === key || module.endsWith(`.${key}`))?.[1] ??
    otherwise;
  const rank = own(config.rank_pattern, config.r);
  const alpha = own(config.alpha_pattern, config.lora_alpha);
  return { rank, alpha: config.use_rslora ? alpha * Math.sqrt(rank) : alpha };
}

/** @param changed what a training changed: adapters, and parameters that were trained as a whole */
export function peftConfigOf(changed: readonly ParameterSpec[]): PeftConfig {
  const adapters = changed.flatMap(({ adapts }) => (adapts?.factor === 'A' ? [adapts] : []));
  const [first] = adapters;
  if (!first) throw new RangeError('there are no adapters to describe');
  const different = (key: keyof Lora) =>
    Object.fromEntries(
      adapters
        .filter((each) => each[key] !== first[key])
        .map((each) => [moduleOfWeight(each.weight), each[key]]),
    );
  const whole = changed.filter(({ adapts }) => !adapts);
  return {
    peft_type: 'LORA',
    r: first.rank,
    lora_alpha: first.alpha,
    rank_pattern: different('rank'),
    alpha_pattern: different('alpha'),
    target_modules: adapters.map(({ weight }) => moduleOfWeight(weight)),
    modules_to_save: [...new Set(whole.map(({ name }) => name.replace(/\.[^.]*$/, '')))],
    use_rslora: false,
    use_dora: false,
    init_lora_weights: true,
  };
}
