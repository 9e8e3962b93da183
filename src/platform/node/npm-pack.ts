import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AdapterError } from '../../engine/errors.js';

/**
 * Downloads a package's tarball with the npm client, so that the user's own registry, proxy and credentials apply.
 * Nothing of the package is installed or run.
 * @param spec exact, e.g. `name@1.2.3`
 * @param folder where the tarball goes: an existing folder without tarballs
 * @returns the tarball's path
 * @throws AdapterError when npm is missing or fails (offline, unknown version); carries npm's last words
 */
export async function npmPack(spec: string, folder: string): Promise<string> {
  const options = ['--ignore-scripts', '--prefer-offline', `--pack-destination=${folder}`];
  // npm waits up to a minute between its attempts; a person without a network should hear of it in seconds
  const patience = ['--fetch-retries=2', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000'];
  const outcome = await runNpm(['pack', spec, ...options, ...patience, '--loglevel=error']);
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'));
  if (outcome.failure !== undefined || !tarball) {
    throw new AdapterError(
      `npm could not fetch ${spec}: ${outcome.failure ?? 'it reported success and left no file'}. ` +
        'Connect to the network (or configure an npm registry that can be reached) and run the same command again, ' +
        "or install a Vulkan driver of your system: on Debian and Ubuntu scripts/install-lavapipe.sh installs Mesa's.",
    );
  }
  return join(folder, tarball);
}

function runNpm(args: readonly string[]): Promise<{ failure?: string }> {
  const [program, ...first] = npmCommand();
  return new Promise((resolve) => {
    const child = spawn(program, [...first, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    let words = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      words += text;
    });
    child.on('error', (error) => resolve({ failure: `${program} cannot be started (${error.message})` }));
    child.on('close', (code, signal) => {
      resolve(
        code === 0 ? {} : { failure: npmComplaint(words) || `npm ended with ${signal ?? `code ${code}`}` },
      );
    });
  });
}

/** Under `npm run`, the very npm that runs us; else the one on the PATH. */
function npmCommand(): [string, ...string[]] {
  const script = process.env.npm_execpath;
  if (script && /^npm(-cli)?\.[cm]?js$/.test(basename(script))) return [process.execPath, script];
  return ['npm'];
}

/** What npm says between its own warnings and the pointer to its log. */
function npmComplaint(stderr: string): string {
  return stderr
    .split('\n')
    .filter((line) => /^npm (error|ERR!)/.test(line) && !/complete log|^npm (error|ERR!)\s*$/.test(line))
    .map((line) => line.replace(/^npm (error|ERR!) /, '').trim())
    .slice(0, 4)
    .join('; ');
}
