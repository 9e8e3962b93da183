/**
 * What is known about one adapter, in plain data: the same words for `devices`, for error messages and for whoever
 * opens a device. No node, no driver: only types and the naming rule.
 */

/** `gpu` is hardware; the rest compute on the CPU. `software` is a software adapter that is neither of the two known. */
export type AdapterKind = 'gpu' | 'lavapipe' | 'swiftshader' | 'software';

/** An adapter that Dawn accepts. */
export interface AcceptedAdapter {
  readonly accepted: true;
  /** What to give as `--adapter` or TAILRAY_ADAPTER to get this one. */
  readonly name: string;
  readonly kind: AdapterKind;
  /** The driver's own words, e.g. `llvmpipe: Mesa 25.0.7 (LLVM 15.0.6)`. */
  readonly description: string;
  /** Where it comes from: a Vulkan driver manifest, or the graphics system (`Vulkan`, `Metal`, `Direct3D`). */
  readonly driver: string;
  /** WebGPU feature names, sorted. */
  readonly features: readonly string[];
  /** The adapter's best limits by WebGPU name, in bytes or counts; a device gets them only by asking. */
  readonly limits: Readonly<Record<string, number>>;
}

/** Something that looked like an adapter and cannot be used. */
export interface RefusedAdapter {
  readonly accepted: false;
  readonly name: string;
  readonly driver: string;
  /** Why, in the words of Dawn or the Vulkan loader. */
  readonly reason: string;
}

export type AdapterReport = AcceptedAdapter | RefusedAdapter;

/** Plain data of a live adapter. */
export function describeAdapter(adapter: GPUAdapter, driver: string): AcceptedAdapter {
  const { info } = adapter;
  const description = info.description || info.device || [info.vendor, info.architecture].join(' ').trim();
  const kind = adapterKind(description, info.isFallbackAdapter);
  const limits: Record<string, number> = {};
  for (const name in adapter.limits) {
    const value: unknown = Reflect.get(adapter.limits, name);
    if (typeof value === 'number') limits[name] = value;
  }
  const features = [...adapter.features].sort();
  return { accepted: true, name: kind, kind, description, driver, features, limits };
}

/** Tells the kinds apart by what the drivers call themselves. */
export function adapterKind(description: string, isFallback: boolean): AdapterKind {
  if (/llvmpipe|lavapipe/i.test(description)) return 'lavapipe';
  if (/swiftshader/i.test(description)) return 'swiftshader';
  return isFallback ? 'software' : 'gpu';
}
