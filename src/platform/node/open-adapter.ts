import { AdapterError } from '../../engine/errors.js';
import { type AdapterChoice, adapterChoice, fits } from './adapter-choice.js';
import { type AcceptedAdapter, describeAdapter } from './adapter-report.js';
import { createGpu, deviceNames } from './dawn.js';
import { findSwiftShader, provideSwiftShader } from './swiftshader.js';
import { driverManifests } from './vulkan-drivers.js';
import { loadVulkanLoader, onlyDrivers, quietMesa, SYSTEM_LOADER, withEnvironment } from './vulkan-loader.js';

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
 * @param options.experimental the adapter shows features that WebGPU does not have yet, too
 * @throws AdapterError when nothing fits (says what was found) or SwiftShader is needed and cannot be fetched
 */
export async function openAdapter(
  choice?: string,
  { experimental = false }: { experimental?: boolean } = {},
): Promise<OpenedAdapter> {
  const wanted = adapterChoice(choice);
  const found: string[] = [];
  if (wanted !== 'swiftshader' && (await haveVulkanLoader())) {
    const opened = await openSystemAdapter(wanted, found, experimental);
    if (opened) return opened;
  }
  // any other name may still mean a SwiftShader that is here already, but is no reason to fetch one
  if (wanted === '' || wanted === 'swiftshader' || findSwiftShader()) {
    const opened = await openSwiftShader();
    if (fits(opened.report, wanted)) return opened;
    found.push(opened.report.description);
  }
  throw new AdapterError(
    `No adapter fits "${wanted}". Found: ${found.join('; ') || 'none'}. The name swiftshader always ` +
      'works on linux-x64. `npx tailray devices` lists all adapters and why others were refused.',
  );
}

/** What the graphics system offers by itself, the fastest first; what does not fit is noted in `found`. */
async function openSystemAdapter(
  wanted: AdapterChoice,
  found: string[],
  experimental: boolean,
): Promise<OpenedAdapter | undefined> {
  return withEnvironment(quietMesa(), async () => {
    const fastest = await requestFrom(await createGpu(undefined, experimental), graphicsSystem());
    if (!fastest) return undefined;
    if (fits(fastest.report, wanted)) return fastest;
    found.push(fastest.report.description);
    for (const name of await deviceNames()) {
      const other = await requestFrom(await createGpu(name, experimental), graphicsSystem());
      if (!other || other.report.device === fastest.report.device) continue;
      if (fits(other.report, wanted)) return other;
      found.push(other.report.description);
    }
    return undefined;
  });
}

async function openSwiftShader(): Promise<OpenedAdapter> {
  const files = await provideSwiftShader(tell);
  // The loader that comes with it, unless this process has one already: both understand the manifest.
  const obstacle = loadVulkanLoader(files.loader);
  if (obstacle) throw new AdapterError(`SwiftShader's Vulkan loader cannot be loaded: ${obstacle}`);
  const environment = { ...quietMesa(), ...onlyDrivers(files.manifest) };
  const opened = await withEnvironment(environment, async () =>
    requestFrom(await createGpu(), files.manifest),
  );
  if (!opened) throw new AdapterError(`Dawn does not accept the SwiftShader in ${files.manifest}.`);
  return opened;
}

async function requestFrom(keepAlive: GPU, driver: string): Promise<OpenedAdapter | undefined> {
  const adapter = await keepAlive.requestAdapter({ powerPreference: 'high-performance' });
  return adapter ? { adapter, report: describeAdapter(adapter, driver), keepAlive } : undefined;
}

/**
 * Dawn needs libvulkan.so.1 on Linux. Where a driver is installed without it (containers with a GPU often are like
 * that), the loader that comes with SwiftShader serves.
 */
async function haveVulkanLoader(): Promise<boolean> {
  if (process.platform !== 'linux') return true;
  if (loadVulkanLoader(SYSTEM_LOADER) === undefined) return true;
  if (driverManifests().length === 0) return false;
  const files = findSwiftShader() ?? (await provideSwiftShader(tell));
  return loadVulkanLoader(files.loader) === undefined;
}

function graphicsSystem(): string {
  return { darwin: 'Metal', win32: 'Direct3D' }[process.platform as string] ?? 'Vulkan';
}

function tell(message: string): void {
  process.stderr.write(`tailray: ${message}\n`);
}
