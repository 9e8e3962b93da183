import type { AdapterKind } from '../engine/graph/tensor.js';

/** The words in which an adapter describes itself; a driver leaves some of them empty. */
export type AdapterWords = Pick<
  GPUAdapterInfo,
  'vendor' | 'architecture' | 'device' | 'description' | 'isFallbackAdapter'
>;

/** Tells the kinds of adapters apart by the names that drivers give themselves, the same way in node and in a browser. */
export function adapterKind({
  vendor,
  architecture,
  device,
  description,
  isFallbackAdapter,
}: AdapterWords): AdapterKind {
  const words = `${vendor} ${architecture} ${device} ${description}`.toLowerCase();
  if (/llvmpipe|lavapipe/.test(words)) return 'lavapipe';
  if (/swiftshader/.test(words)) return 'swiftshader';
  return isFallbackAdapter || /software/.test(words) ? 'software' : 'gpu';
}
