import type { SafetensorsTensor } from '../safetensors/safetensors.js';

/**
 * The checkpoint of the system that won CXR-LT 2026 (huggingface.co/hieuphamha/cxrlt2026-task1-convnextv2) keeps timm's
 * ConvNeXt V2 under `backbone.` and its batch norm and CSRA head beside it, under the names that heads/csra.ts uses.
 */
const BACKBONE = 'backbone.';

/** A file's tensors with the backbone's names as timm has them, if it is such a checkpoint; any other file as it is. */
export function fromCxrLt(
  tensors: ReadonlyMap<string, SafetensorsTensor>,
): ReadonlyMap<string, SafetensorsTensor> {
  const theirs = tensors.has('head.conv_att.weight') && tensors.has('backbone.head.norm.weight');
  if (!theirs) return tensors;
  return new Map(
    [...tensors].map(([name, tensor]) => [
      name.startsWith(BACKBONE) ? name.slice(BACKBONE.length) : name,
      tensor,
    ]),
  );
}
