import type { AdapterKind, MatrixShape } from '../../engine/graph/tensor.js';
import { type MatrixInfo, matrixShapes } from '../../engine/matrix-shapes.js';
import { type AdapterWords, adapterKind } from '../adapter-kind.js';

/** The facts about one adapter in plain data: the same words for `devices`, for error messages and for `openDevice`. */

/** An adapter that Dawn accepts. */
export interface AcceptedAdapter {
  readonly accepted: true;
  /** What to give as `--adapter` or TAILRAY_ADAPTER to get this one. */
  readonly name: string;
  readonly kind: AdapterKind;
  /** The driver's own words, e.g. `llvmpipe: Mesa 25.0.7 (LLVM 15.0.6)`. */
  readonly description: string;
  /** The device's name in Dawn's spelling, e.g. `nvidia-h100-pcie`. */
  readonly device: string;
  /** Where it comes from: a Vulkan driver manifest, or the graphics system (`Vulkan`, `Metal`, `Direct3D`). */
  readonly driver: string;
  /** WebGPU feature names, sorted. */
  readonly features: readonly string[];
  /** The small matrices of its matrix units that kernels can use; known where experimental features are shown. */
  readonly matrices: readonly MatrixShape[];
  /** The adapter's best limits by WebGPU name, in bytes or counts; a device gets them only by asking. */
  readonly limits: Readonly<Record<string, number>>;
}

/** Something that might have been an adapter and cannot be used. */
export interface RefusedAdapter {
  readonly accepted: false;
  readonly name: string;
  readonly driver: string;
  /** Why, in the words of Dawn, of the Vulkan loader or our own. */
  readonly reason: string;
}

export type AdapterReport = AcceptedAdapter | RefusedAdapter;

/** What a report is made of: a live `GPUAdapter`, or its data as another process read it. */
export interface AdapterFacts {
  readonly info: AdapterWords & MatrixInfo;
  readonly features: Iterable<string>;
  readonly limits: object;
}

/** @param driver where the adapter comes from, see `AcceptedAdapter.driver` */
export function describeAdapter(facts: AdapterFacts, driver: string): AcceptedAdapter {
  const { vendor, architecture, device, description: words } = facts.info;
  const description = words || device || `${vendor} ${architecture}`.trim();
  const kind = adapterKind(facts.info);
  const features = new Set(facts.features);
  const limits: Record<string, number> = {};
  for (const name in facts.limits) {
    const value: unknown = Reflect.get(facts.limits, name);
    if (typeof value === 'number') limits[name] = value;
  }
  return {
    accepted: true,
    name: kind === 'software' ? device : kind,
    kind,
    description,
    device,
    driver,
    features: [...features].sort(),
    matrices: matrixShapes(features, facts.info),
    limits,
  };
}
