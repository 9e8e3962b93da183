import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, sep } from 'node:path';
import { TailrayError } from '#src/engine/errors.js';

/** The libraries to compare with are no dependencies of tailray: they are installed in bench/, where wanted. */

/** A library to compare with is not there; the message says how to get it. */
export class MissingPeerError extends TailrayError {}

/** @throws MissingPeerError if the package is not installed in bench/ */
export function loadPeer(name: string): unknown {
  return orMissing(name, () => peerRequire()(name));
}

/** @throws MissingPeerError if the package is not installed in bench/ */
export function peerVersion(name: string): string {
  const folder = join('node_modules', name);
  // a package need not let its package.json be required, so it is read from where its code was found
  const code = orMissing(name, () => peerRequire().resolve(name));
  const [root = ''] = code.split(`${folder}${sep}`, 1);
  const { version } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}

function orMissing<T>(name: string, find: () => T): T {
  try {
    return find();
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'MODULE_NOT_FOUND')) throw cause;
    throw new MissingPeerError(
      `${name} is not installed: \`npm ci --prefix bench --ignore-scripts\` does it`,
      { cause },
    );
  }
}

/** Found when first wanted: declaring a workload loads nothing. */
function peerRequire(): NodeJS.Require {
  return createRequire(import.meta.resolve('#bench/package.json'));
}
