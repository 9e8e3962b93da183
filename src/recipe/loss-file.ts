import { basename, extname, resolve } from 'node:path';
import { createJiti } from 'jiti';
import type { Loss } from '../losses/define/loss.js';
import { LossError } from '../losses/define/loss-error.js';
import { sha256 } from '../storage/content-digest.js';
import { RegularFileError, readRegularText } from '../storage/regular-file.js';

/**
 * A loss of one's own, from a TypeScript or JavaScript file whose default export `defineLoss` gave. The run directory
 * keeps a copy of that file, which must mean the same there; so the file stands for itself: it may import 'tailray' and
 * 'zod', which are those of this process, and node's own modules, but no file beside it.
 */
export interface LossFile {
  readonly loss: Loss;
  /** Absolute. */
  readonly path: string;
  readonly source: string;
  /** SHA-256 of the source, in hexadecimal. */
  readonly sha256: string;
}

const EXTENSIONS = /\.[cm]?[jt]s$/;

/** By name: how a module is loaded that a loss file may import. */
const modules = new Map<string, () => Promise<unknown>>([['zod', () => import('zod')]]);

/**
 * Makes a module of this process known to loss files by a name. The doors of the package (the public index, the commands)
 * hand in 'tailray', which is all of it: nothing inside may import that.
 */
export function offerToLossFiles(name: string, load: () => Promise<unknown>): void {
  modules.set(name, load);
}

/** Whether a recipe's `loss.name` names a file: it has a folder in it, or ends like a module. */
export function isLossFile(name: string): boolean {
  return /[\\/]/.test(name) || EXTENSIONS.test(name);
}

/** @throws LossError when the file isn't there, is no such module, or exports no loss */
export async function readLossFile(path: string): Promise<LossFile> {
  const source = await readRegularText(path).catch((error: unknown) => {
    if (!(error instanceof RegularFileError)) throw error;
    throw new LossError(`the loss ${path}: ${error.reason}`, { cause: error });
  });
  if (!EXTENSIONS.test(path)) {
    throw new LossError(`the loss ${path}: must be a module: .ts, .mts, .js or .mjs.`);
  }
  return {
    loss: exportedLoss(await evaluate(source, path), path),
    path: resolve(path),
    source,
    sha256: await sha256(source),
  };
}

/** Types are stripped by jiti, as no node before 22.18 does it by itself. */
async function evaluate(source: string, path: string): Promise<unknown> {
  const loaded = [...modules].map(async ([name, load]) => [name, await load()] as const);
  const virtualModules = Object.fromEntries(await Promise.all(loaded));
  // a folder that isn't there, so that nothing but those is found
  const jiti = createJiti('/loss/', { fsCache: false, moduleCache: false, virtualModules });
  try {
    return await jiti.evalModule(source, {
      filename: `/loss/${basename(path)}`,
      ext: extname(path),
      async: true,
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    const missing = error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND';
    throw new LossError(
      `the loss ${path}: ${reason}${
        missing ? `: a loss is one file, which can import 'tailray', 'zod' and node's own modules only` : ''
      }.`,
      { cause: error },
    );
  }
}

function exportedLoss(module: unknown, path: string): Loss {
  const exported = isRecord(module) ? module.default : undefined;
  if (isLoss(exported)) return exported;
  throw new LossError(`the loss ${path}: its default export must be what defineLoss gave.`);
}

function isLoss(value: unknown): value is Loss {
  return isRecord(value) && typeof value.name === 'string' && typeof value.bind === 'function';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
