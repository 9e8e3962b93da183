import { z } from 'zod';
import { ModelError } from '../model-error.js';
import type { Activation } from '../transformer/block.js';

/** The two towers of a CLIP (Radford et al., arXiv 2103.00020), and how images have to be prepared for it. */
export interface ClipConfig {
  /** Values of an embedding. */
  readonly embedding: number;
  readonly activation: Activation;
  readonly image: TransformerSizes & {
    /** [height, width] in pixels, each a multiple of the patch. */
    readonly size: readonly [number, number];
    readonly patch: number;
  };
  readonly text: TransformerSizes & {
    /** Tokens of a text, padding included. */
    readonly context: number;
    readonly vocabulary: number;
  };
  readonly preprocessing: { readonly mean: readonly number[]; readonly std: readonly number[] };
}

export interface TransformerSizes {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** Channels inside the perceptrons. */
  readonly hidden: number;
}

/** OpenAI's, which most CLIPs are trained with. */
const PREPROCESSING = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
} as const;

const size = z.int().min(1).max(16384);
const sides = z.union([size.transform((side) => [side, side] as const), z.tuple([size, size])]);

const openClip = z.object({
  model_cfg: z.object({
    embed_dim: size,
    quick_gelu: z.boolean().default(false),
    vision_cfg: z.object({
      image_size: sides,
      layers: z.int().min(1).max(256),
      width: size,
      head_width: size.default(64),
      mlp_ratio: z.number().positive().default(4),
      patch_size: size,
    }),
    text_cfg: z.object({
      context_length: size.default(77),
      vocab_size: z.int().min(2).max(10_000_000).default(49408),
      width: size,
      heads: size,
      layers: z.int().min(1).max(256),
      mlp_ratio: z.number().positive().default(4),
    }),
  }),
  preprocess_cfg: z
    .object({ mean: z.array(z.number()).length(3).optional(), std: z.array(z.number()).length(3).optional() })
    .optional(),
});

/** Options of open_clip that change the network into one that is not built here; each with the values that do not. */
const OPEN_CLIP_PLAIN: readonly (readonly [string, string, readonly unknown[]])[] = [
  ['vision_cfg', 'timm_model_name', [undefined, null]],
  ['vision_cfg', 'attentional_pool', [undefined, false]],
  ['vision_cfg', 'ls_init_value', [undefined, null]],
  ['vision_cfg', 'no_ln_pre', [undefined, false]],
  ['vision_cfg', 'pos_embed_type', [undefined, 'learnable']],
  ['vision_cfg', 'pool_type', [undefined, 'tok']],
  ['vision_cfg', 'final_ln_after_pool', [undefined, false]],
  ['text_cfg', 'hf_model_name', [undefined, null]],
  ['text_cfg', 'ls_init_value', [undefined, null]],
  ['text_cfg', 'embed_cls', [undefined, false]],
  ['text_cfg', 'pool_type', [undefined, 'argmax']],
  ['text_cfg', 'no_causal_mask', [undefined, false]],
];

/**
 * The content of an `open_clip_config.json`.
 * @throws ModelError naming the field that is missing, out of range, or asks for a network of another kind
 */
export function openClipConfig(json: unknown): ClipConfig {
  const { model_cfg: model, preprocess_cfg: preprocess } = parse(openClip, json, 'open_clip_config.json');
  for (const [part, option, plain] of OPEN_CLIP_PLAIN) {
    const value = (json as Record<string, Record<string, Record<string, unknown>>>).model_cfg?.[part]?.[
      option
    ];
    if (plain.includes(value)) continue;
    throw new ModelError(
      `open_clip_config.json: ${part}.${option} is ${JSON.stringify(value)}, and such a network is not built here`,
    );
  }
  const { vision_cfg: vision, text_cfg: text } = model;
  return checked({
    embedding: model.embed_dim,
    activation: model.quick_gelu ? 'quick_gelu' : 'gelu',
    image: {
      size: vision.image_size,
      patch: vision.patch_size,
      width: vision.width,
      layers: vision.layers,
      heads: vision.width / vision.head_width,
      hidden: Math.trunc(vision.width * vision.mlp_ratio),
    },
    text: {
      context: text.context_length,
      vocabulary: text.vocab_size,
      width: text.width,
      layers: text.layers,
      heads: text.heads,
      hidden: Math.trunc(text.width * text.mlp_ratio),
    },
    preprocessing: {
      mean: preprocess?.mean ?? PREPROCESSING.mean,
      std: preprocess?.std ?? PREPROCESSING.std,
    },
  });
}

const tower = {
  hidden_size: size,
  intermediate_size: size,
  num_attention_heads: size,
  num_hidden_layers: z.int().min(1).max(256),
  hidden_act: z.enum(['quick_gelu', 'gelu']).default('quick_gelu'),
};

const huggingFace = z.object({
  model_type: z.literal('clip'),
  projection_dim: size.default(512),
  vision_config: z.object({
    ...tower,
    hidden_size: size.default(768),
    intermediate_size: size.default(3072),
    num_attention_heads: size.default(12),
    num_hidden_layers: z.int().min(1).max(256).default(12),
    image_size: size.default(224),
    patch_size: size.default(32),
  }),
  text_config: z.object({
    ...tower,
    hidden_size: size.default(512),
    intermediate_size: size.default(2048),
    num_attention_heads: size.default(8),
    num_hidden_layers: z.int().min(1).max(256).default(12),
    max_position_embeddings: size.default(77),
    vocab_size: z.int().min(2).max(10_000_000).default(49408),
  }),
});

/**
 * The content of Hugging Face's `config.json`; what it leaves out is as in transformers' CLIPConfig.
 * @throws ModelError naming the field that is missing or out of range
 */
export function huggingFaceClipConfig(json: unknown): ClipConfig {
  const {
    projection_dim,
    vision_config: vision,
    text_config: text,
  } = parse(huggingFace, json, 'config.json');
  if (vision.hidden_act !== text.hidden_act) {
    throw new ModelError(
      `config.json: towers with different activations (${vision.hidden_act}, ${text.hidden_act}) are not built here`,
    );
  }
  const sizes = (config: typeof vision | typeof text): TransformerSizes => ({
    width: config.hidden_size,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    hidden: config.intermediate_size,
  });
  return checked({
    embedding: projection_dim,
    activation: vision.hidden_act,
    image: { ...sizes(vision), size: [vision.image_size, vision.image_size], patch: vision.patch_size },
    text: { ...sizes(text), context: text.max_position_embeddings, vocabulary: text.vocab_size },
    preprocessing: PREPROCESSING,
  });
}

function parse<Schema extends z.ZodType>(schema: Schema, json: unknown, file: string): z.output<Schema> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const reasons = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new ModelError(`${file} describes no CLIP: ${reasons.join('; ')}`);
}

/** @throws ModelError where sizes do not go together */
export function checked(config: ClipConfig): ClipConfig {
  for (const [name, { width, heads }] of [
    ['image', config.image],
    ['text', config.text],
  ] as const) {
    if (!Number.isInteger(heads) || width % heads !== 0) {
      throw new ModelError(`the ${name} tower's width ${width} is no multiple of its ${heads} heads`);
    }
  }
  const { patch, size: imageSize } = config.image;
  if (imageSize.some((side) => side % patch !== 0)) {
    throw new ModelError(`images of ${imageSize.join(' × ')} pixels are no whole patches of ${patch}`);
  }
  return config;
}

/** The published sizes, by open_clip's names. */
export const CLIPS: Readonly<Record<string, ClipConfig>> = {
  'ViT-B-32': published(32, 768, 12, 512),
  'ViT-B-16': published(16, 768, 12, 512),
  'ViT-L-14': published(14, 1024, 24, 768),
};

function published(patch: number, width: number, layers: number, textWidth: number): ClipConfig {
  return {
    embedding: textWidth,
    activation: 'gelu',
    image: { size: [224, 224], patch, width, layers, heads: width / 64, hidden: 4 * width },
    text: {
      context: 77,
      vocabulary: 49408,
      width: textWidth,
      layers: 12,
      heads: textWidth / 64,
      hidden: 4 * textWidth,
    },
    preprocessing: PREPROCESSING,
  };
}
