import type { SafetensorsTensor } from '../safetensors/safetensors.js';

/**
 * Tensor names of a CLIP in open_clip's state dicts, which the towers here use, out of those of Hugging Face's CLIPModel,
 * and of open_clip's CustomTextCLIP. Hugging Face keeps queries, keys and values apart, and its projections as linear
 * layers, [out, in].
 */
export type ClipNaming = 'open_clip' | 'hugging_face';

export function clipNaming(names: Iterable<string>): ClipNaming | undefined {
  for (const name of names) {
    if (name.startsWith('vision_model.') || name.startsWith('text_model.')) return 'hugging_face';
    if (name.startsWith('visual.')) return 'open_clip';
  }
  return undefined;
}

/** Where a tensor of the towers is found in a file. */
export type TensorPlace =
  | { readonly kind: 'as-is'; readonly name: string }
  /** Rows below each other: of queries, keys and values. */
  | { readonly kind: 'stacked'; readonly names: readonly string[] }
  | { readonly kind: 'transposed'; readonly name: string };

/** @param name open_clip's, of one of the towers' tensors @param names those in the file */
export function placeOf(name: string, naming: ClipNaming, names: ReadonlySet<string>): TensorPlace {
  if (naming === 'open_clip') {
    const custom = `text.${name}`;
    const isCustom = !name.startsWith('visual.') && !names.has(name) && names.has(custom);
    return { kind: 'as-is', name: isCustom ? custom : name };
  }
  if (name === 'visual.proj') return { kind: 'transposed', name: 'visual_projection.weight' };
  if (name === 'text_projection') return { kind: 'transposed', name: 'text_projection.weight' };
  const part = name.startsWith('visual.') ? 'vision_model' : 'text_model';
  const own = name.replace(/^visual\./, '');
  const block = /^transformer\.resblocks\.(\d+)\.(.+)$/.exec(own);
  if (!block) return { kind: 'as-is', name: `${part}.${OUTSIDE_BLOCKS[own] ?? own}` };
  const [, layer, inside = ''] = block;
  const at = `${part}.encoder.layers.${layer}`;
  const packed = /^attn\.in_proj_(weight|bias)$/.exec(inside);
  if (packed) {
    return { kind: 'stacked', names: ['q', 'k', 'v'].map((x) => `${at}.self_attn.${x}_proj.${packed[1]}`) };
  }
  const renamed = INSIDE_BLOCKS.reduce(
    (text, [ours, theirs]) => (text.startsWith(ours) ? theirs + text.slice(ours.length) : text),
    inside,
  );
  return { kind: 'as-is', name: `${at}.${renamed}` };
}

/** Hugging Face misspells the norm in front of its image tower's blocks. */
const OUTSIDE_BLOCKS: Readonly<Record<string, string>> = {
  class_embedding: 'embeddings.class_embedding',
  positional_embedding: 'embeddings.position_embedding.weight',
  'conv1.weight': 'embeddings.patch_embedding.weight',
  'ln_pre.weight': 'pre_layrnorm.weight',
  'ln_pre.bias': 'pre_layrnorm.bias',
  'ln_post.weight': 'post_layernorm.weight',
  'ln_post.bias': 'post_layernorm.bias',
  'token_embedding.weight': 'embeddings.token_embedding.weight',
  'ln_final.weight': 'final_layer_norm.weight',
  'ln_final.bias': 'final_layer_norm.bias',
};

const INSIDE_BLOCKS: readonly (readonly [string, string])[] = [
  ['ln_1.', 'layer_norm1.'],
  ['ln_2.', 'layer_norm2.'],
  ['attn.out_proj.', 'self_attn.out_proj.'],
  ['mlp.c_fc.', 'mlp.fc1.'],
  ['mlp.c_proj.', 'mlp.fc2.'],
];

/** Tensors that a CLIP's file may hold and that no tower reads. */
export const UNREAD =
  /^(logit_scale|logit_bias|.*\.position_ids|(text\.)?attn_mask|input_resolution|context_length|vocab_size)$/;

/** Rows of several matrices, or values of several vectors, one below the other. */
export function stack(parts: readonly SafetensorsTensor[]): SafetensorsTensor {
  const [first] = parts;
  if (!first) throw new RangeError('nothing to stack');
  const arrays = parts.map(({ data }) => data as Float32Array);
  const data = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let start = 0;
  for (const array of arrays) {
    data.set(array, start);
    start += array.length;
  }
  const rows = parts.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  return { dtype: 'F32', shape: [rows, ...first.shape.slice(1)], data };
}
