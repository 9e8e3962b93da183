import { AdapterError } from '../errors.js';
import { type AcceptedAdapter, describeAdapter } from './adapter-report.js';
import { createGpu } from './dawn.js';
import { loadVulkanLoader, quietMesa, SYSTEM_LOADER, withEnvironment } from './vulkan-loader.js';

/**
 * node's way of getting a GPUAdapter. The order: a hardware GPU, a system lavapipe that Dawn accepts, SwiftShader
 * (fetched on demand). A browser has `navigator.gpu` instead and needs nothing of this folder.
 */

export interface OpenedAdapter {
  readonly adapter: GPUAdapter;
  readonly report: AcceptedAdapter;
  /** Dawn's entry point; it is held for as long as the process lives, see dawn.ts. */
  readonly keepAlive: GPU;
}

/**
 * Opens the adapter that was asked for, or the best there is.
 * @param choice `gpu`, `lavapipe`, `swiftshader` or a part of an adapter's description (case does not matter);
 *   without it TAILRAY_ADAPTER decides, else the order above
 * @throws AdapterError when nothing fits; says what was found
 */
export async function openAdapter(choice?: string): Promise<OpenedAdapter> {
  const wanted = (choice ?? process.env.TAILRAY_ADAPTER ?? '').trim().toLowerCase();
  const opened = await openSystem();
  if (opened && (wanted === '' || matches(opened.report, wanted))) return opened;
  throw new AdapterError(
    `no adapter fits "${wanted}": ${opened ? `found ${opened.report.description}` : 'found none'}`,
  );
}

function matches(report: AcceptedAdapter, wanted: string): boolean {
  return report.kind === wanted || report.description.toLowerCase().includes(wanted);
}

async function openSystem(): Promise<OpenedAdapter | undefined> {
  if (process.platform === 'linux' && loadVulkanLoader(SYSTEM_LOADER) !== undefined) return undefined;
  return withEnvironment(quietMesa(), async () => {
    const keepAlive = await createGpu();
    const adapter = await keepAlive.requestAdapter({ powerPreference: 'high-performance' });
    if (!adapter) return undefined;
    return { adapter, report: describeAdapter(adapter, 'Vulkan'), keepAlive };
  });
}
