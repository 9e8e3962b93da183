import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { parseTar } from 'nanotar';
import { AdapterError } from '../../engine/errors.js';
import { cacheFolder } from '../../storage/cache-folder.js';
import { npmPack } from './npm-pack.js';

/**
 * SwiftShader, a Vulkan driver that computes on the CPU: the adapter of last resort, for a machine with no GPU, no
 * Vulkan library and no root. It is not part of tailray: it is fetched once, with the user's own npm, out of a package
 * that carries it, checked against a digest, and kept in the cache folder.
 *
 * SwiftShader is Google's, Apache-2.0; the Vulkan loader beside it is Khronos', Apache-2.0; the package is MIT.
 */
export interface SwiftShaderFiles {
  /** The Vulkan driver manifest that names the driver beside it. */
  readonly manifest: string;
  /** A Vulkan loader (libvulkan.so.1), for machines that have none. */
  readonly loader: string;
}

/** Which package, which file of it, and what the file must hash to. */
export interface PinnedArchive {
  readonly packageName: string;
  readonly version: string;
  /** A brotli-compressed tar inside the package. */
  readonly path: string;
  /** Of the compressed file, hexadecimal. */
  readonly sha256: string;
}

export const SWIFTSHADER_PIN: PinnedArchive = {
  packageName: '@sparticuz/chromium',
  version: '153.0.0',
  path: 'package/bin/swiftshader.tar.br',
  sha256: 'b680e40a33235ecc6ad4c6897a168b70ce5164f0d62d2a64d675320d51614631',
};

const MANIFEST = 'vk_swiftshader_icd.json';
const LOADER = 'libvulkan.so.1';
const FILES = ['libvk_swiftshader.so', LOADER, MANIFEST];

/** Why this machine cannot use the pinned build, or undefined when it can. */
export function swiftShaderObstacle(): string | undefined {
  if (process.platform === 'linux' && process.arch === 'x64') return undefined;
  return `the SwiftShader that can be fetched is built for linux-x64, and this is ${process.platform}-${process.arch}`;
}

/**
 * The files if they are here already: in the folder that TAILRAY_SWIFTSHADER names (a portable bundle brings one), else
 * in the cache. Touches no network.
 */
export function findSwiftShader(
  pin = SWIFTSHADER_PIN,
  cache = cacheFolder(),
  brought = process.env.TAILRAY_SWIFTSHADER,
): SwiftShaderFiles | undefined {
  const folders = [...(brought ? [brought] : []), folderOf(pin, cache)];
  const folder = folders.find((candidate) => existsSync(join(candidate, MANIFEST)));
  return folder === undefined ? undefined : filesIn(folder);
}

/**
 * The files, fetched when they are not in the cache yet (66 MB over the network, 7 MB kept). Several processes may do
 * it at once: each unpacks into a folder of its own and the first to finish gives it its final name.
 * @param notify is told before a download starts
 * @throws AdapterError when the download fails, its digest differs, or the cache folder cannot be written
 */
export async function provideSwiftShader(
  notify: (message: string) => void = () => {},
  pin = SWIFTSHADER_PIN,
  cache = cacheFolder(),
): Promise<SwiftShaderFiles> {
  const present = findSwiftShader(pin, cache);
  if (present) return present;
  const obstacle = swiftShaderObstacle();
  if (obstacle)
    throw new AdapterError(`${obstacle}. Install a Vulkan driver of your system, for instance Mesa's.`);

  const workshop = await makeWorkshop(cache);
  try {
    notify(`fetching SwiftShader once, out of ${pin.packageName}@${pin.version} (66 MB), into ${cache}`);
    const tarball = await npmPack(`${pin.packageName}@${pin.version}`, workshop);
    const unpacked = join(workshop, 'unpacked');
    await unpack(checkedArchive(await readFile(tarball), pin), unpacked);
    await publish(unpacked, folderOf(pin, cache));
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
  return filesIn(folderOf(pin, cache));
}

function folderOf(pin: PinnedArchive, cache: string): string {
  return join(cache, `swiftshader-${pin.version}-${pin.sha256.slice(0, 12)}`);
}

function filesIn(folder: string): SwiftShaderFiles {
  return { manifest: join(folder, MANIFEST), loader: join(folder, LOADER) };
}

/** A folder beside the final one, so that the last step is a rename within one file system. */
async function makeWorkshop(cache: string): Promise<string> {
  try {
    await mkdir(cache, { recursive: true });
    return await mkdtemp(join(cache, 'fetching-'));
  } catch (cause) {
    throw new AdapterError(
      `The cache folder ${cache} cannot be written (${messageOf(cause)}): set TAILRAY_CACHE to a folder that can.`,
      { cause },
    );
  }
}

/** Takes the archive out of npm's tarball and holds it against the pinned digest before anything reads it. */
function checkedArchive(tarball: Uint8Array, pin: PinnedArchive): Uint8Array {
  const [entry] = parseTar(gunzipSync(tarball), { filter: (file) => file.name === pin.path });
  if (!entry?.data) {
    throw new AdapterError(
      `${pin.packageName}@${pin.version} has no ${pin.path}: the registry gave another package.`,
    );
  }
  const digest = createHash('sha256').update(entry.data).digest('hex');
  if (digest !== pin.sha256) {
    throw new AdapterError(
      `${pin.path} of ${pin.packageName}@${pin.version} has the SHA-256 ${digest}, expected ${pin.sha256}: ` +
        'it is damaged or was tampered with, and has not been used. Check which npm registry is configured.',
    );
  }
  return entry.data;
}

async function unpack(archive: Uint8Array, folder: string): Promise<void> {
  const entries = parseTar(brotliDecompressSync(archive), {
    filter: (file) => FILES.includes(baseName(file.name)),
  });
  await mkdir(folder);
  for (const name of FILES) {
    const entry = entries.find((candidate) => baseName(candidate.name) === name);
    if (!entry?.data) throw new AdapterError(`The SwiftShader archive has no ${name}.`);
    const path = join(folder, name);
    await writeFile(path, entry.data);
    await chmod(path, name.endsWith('.json') ? 0o644 : 0o755);
  }
}

/** Gives a finished folder its final name; where another process was faster, its folder stays. */
async function publish(finished: string, folder: string): Promise<void> {
  try {
    await rename(finished, folder);
  } catch (error) {
    if (!existsSync(join(folder, MANIFEST))) throw error;
  }
}

function baseName(path: string): string {
  return path.replace(/^.*\//, '');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
