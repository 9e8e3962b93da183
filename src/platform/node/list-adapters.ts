import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { byPreference } from './adapter-choice.js';
import {
  type AcceptedAdapter,
  type AdapterFacts,
  type AdapterReport,
  describeAdapter,
} from './adapter-report.js';
import { findSwiftShader, SWIFTSHADER_PIN, swiftShaderObstacle } from './swiftshader.js';
import { driverManifests } from './vulkan-drivers.js';
import { loadVulkanLoader, onlyDrivers, quietMesa, SYSTEM_LOADER } from './vulkan-loader.js';

/**
 * Everything that might be an adapter, each asked in a process of its own: a Vulkan loader serves one choice of drivers
 * a process, a driver may crash, and why Dawn refuses one is only ever written to stderr.
 */

const PROBE = fileURLToPath(new URL('./probe-driver.mjs', import.meta.url));
const PATIENCE_MS = 30_000;

/**
 * Reports the accepted adapters in the order in which `openAdapter` prefers them, then the refused ones. Takes about a
 * second; fetches nothing.
 */
export async function listAdapters(): Promise<AdapterReport[]> {
  const probes = process.platform === 'linux' ? linuxProbes() : [{ driver: nativeSystem(), environment: {} }];
  const reports: AdapterReport[] = [];
  for (const probe of probes) reports.push(...('accepted' in probe ? [probe] : await runProbe(probe)));
  const accepted = reports.filter((report) => report.accepted).sort(byPreference);
  return [...(await fastestFirst(accepted)), ...reports.filter((report) => !report.accepted)];
}

/** Where there are several GPUs, Dawn says which one it prefers, but only when it is asked with all drivers at once. */
async function fastestFirst(accepted: AcceptedAdapter[]): Promise<AcceptedAdapter[]> {
  if (process.platform !== 'linux' || accepted.filter(({ kind }) => kind === 'gpu').length < 2)
    return accepted;
  const [fastest] = await runProbe({ driver: '', environment: quietMesa() });
  const isFastest = ({ device }: AcceptedAdapter) => fastest?.accepted && device === fastest.device;
  return [...accepted.filter(isFastest), ...accepted.filter((adapter) => !isFastest(adapter))];
}

interface Probe {
  readonly driver: string;
  readonly environment: Record<string, string>;
  /** A Vulkan loader to load first. */
  readonly loader?: string;
}

/** One probe a driver; what cannot even be tried is reported at once. */
function linuxProbes(): (Probe | AdapterReport)[] {
  const swiftShader = findSwiftShader();
  const loaderObstacle = loadVulkanLoader(SYSTEM_LOADER);
  const probes: (Probe | AdapterReport)[] = driverManifests().map((manifest) => {
    if (!existsSync(manifest)) return refused(manifest, `there is no file ${manifest}`);
    const environment = { ...quietMesa(), ...onlyDrivers(manifest) };
    if (loaderObstacle === undefined) return { driver: manifest, environment };
    if (swiftShader) return { driver: manifest, environment, loader: swiftShader.loader };
    const remedy = swiftShaderObstacle() ? '' : '; one comes with SwiftShader once that is fetched';
    return refused(manifest, `there is no Vulkan loader (${loaderObstacle})${remedy}`);
  });
  if (probes.length === 0)
    probes.push(refused(SYSTEM_LOADER, 'no Vulkan driver is installed on this system'));
  if (swiftShader) {
    const environment = { ...quietMesa(), ...onlyDrivers(swiftShader.manifest) };
    probes.push({ driver: swiftShader.manifest, environment, loader: swiftShader.loader });
  } else {
    const { packageName, version } = SWIFTSHADER_PIN;
    const reason =
      swiftShaderObstacle() ?? `not fetched yet: comes out of ${packageName}@${version} when it is needed`;
    probes.push({ accepted: false, name: 'swiftshader', driver: 'on demand', reason });
  }
  return probes;
}

function runProbe(probe: Probe): Promise<AdapterReport[]> {
  const { driver, environment, loader } = probe;
  const env = { ...process.env, ...environment };
  const options = { env, timeout: PATIENCE_MS, maxBuffer: 1 << 24, encoding: 'utf8' } as const;
  return new Promise((resolve) => {
    execFile(process.execPath, [PROBE, ...(loader ? [loader] : [])], options, (error, stdout, stderr) => {
      const facts = error ? [] : factsIn(stdout);
      if (facts.length > 0)
        return resolve(facts.map((each): AcceptedAdapter => describeAdapter(each, driver)));
      resolve([refused(driver, error?.signal ? crash(error) : complaint(stderr))]);
    });
  });
}

/** The last line: a driver may have printed something of its own before it. */
function factsIn(stdout: string): AdapterFacts[] {
  return JSON.parse(stdout.slice(stdout.lastIndexOf('\n') + 1)) as AdapterFacts[];
}

function refused(driver: string, reason: string): AdapterReport {
  return { accepted: false, name: basename(driver).replace(/(_icd)?(\.[^.]+)*\.json$/, ''), driver, reason };
}

function crash(error: { killed?: boolean; signal?: string | null | undefined }): string {
  return error.killed
    ? `the driver did not answer within ${PATIENCE_MS / 1000} s`
    : `the driver crashed (${error.signal})`;
}

/** What Dawn and the Vulkan loader had to say, without their remarks that mean nothing here. */
function complaint(stderr: string): string {
  const lines = stderr
    .split('\n')
    .filter((line) => /^\s*(error|warning):/i.test(line) && !line.includes('artificially reduced'))
    .map((line) => line.replace(/^\s*(error|warning):\s*(Loader Message:\s*)?/i, '').trim());
  if (lines.some((line) => /Failed to detect any valid GPUs|vkEnumeratePhysicalDevices$/.test(line))) {
    return 'no device of this driver in this machine';
  }
  return lines[0] ?? 'Dawn found no device and did not say why';
}

function nativeSystem(): string {
  return process.platform === 'darwin' ? 'Metal' : 'Direct3D';
}
