// @ts-check
/**
 * What a fresh clone needs before anything else can run, shared by the demo and by verify: packages, the build, and an
 * adapter. Plain JavaScript on node alone, since nothing is installed or built when it starts, and it starts programs
 * by their path: of the PATH only npm is used.
 */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** A step that failed in a way that has been explained to the person already. */
export class StepFailed extends Error {}

/** Packages, build and adapter; returns the reports of `devices --json`. */
export async function prepare() {
  checkNodeVersion();
  await providePackages();
  await step('Build', build);
  return step('Find an adapter', provideAdapter);
}

export async function providePackages() {
  if (packagesAreMissing()) await step('Install packages (npm ci)', installPackages);
}

/**
 * Runs one step under a header, and says how long it took.
 * @template T
 * @param {string} title
 * @param {() => Promise<T>} action
 * @returns {Promise<T>}
 */
export async function step(title, action) {
  const start = Date.now();
  console.log(`\n━━ ${title}`);
  const result = await action();
  console.log(`   done in ${elapsed(Date.now() - start)}`);
  return result;
}

/** @param {number} milliseconds */
export function elapsed(milliseconds) {
  const seconds = milliseconds / 1000;
  return seconds < 60
    ? `${seconds.toFixed(1)} s`
    : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/**
 * Runs a script of this project (or of its packages) with this node, in the project's folder, output passed through.
 * @param {string[]} words path relative to the project, then arguments
 * @param {Record<string, string>} [environment] added to this process's
 * @returns {Promise<number>} the exit code; 1 when it was ended by a signal
 */
export function runNode(words, environment = {}) {
  return run(process.execPath, words, environment);
}

/** The command-line programs of our packages, as node scripts. */
export const TOOLS = {
  tsc: 'node_modules/typescript/bin/tsc',
  biome: 'node_modules/@biomejs/biome/bin/biome',
  vitest: 'node_modules/vitest/vitest.mjs',
};

function checkNodeVersion() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 9)) {
    throw new StepFailed(`tailray needs node 20.9 or newer, and this is ${process.versions.node}.`);
  }
}

/**
 * Whether npm's record of what it installed differs from the lockfile. Times of files are no help: git sets them anew.
 */
function packagesAreMissing() {
  const record = join(ROOT, 'node_modules/.package-lock.json');
  if (!existsSync(record)) return true;
  const installed = lockedPackages(record);
  return Object.entries(lockedPackages(join(ROOT, 'package-lock.json'))).some(([path, locked]) => {
    const found = installed[path];
    // optional packages are those of other platforms, unless they are installed
    if (!found) return path !== '' && !locked.optional && !locked.devOptional;
    return found.version !== locked.version || found.integrity !== locked.integrity;
  });
}

/**
 * @param {string} path
 * @returns {Record<string, { version?: string, integrity?: string, optional?: boolean, devOptional?: boolean }>}
 */
function lockedPackages(path) {
  return JSON.parse(readFileSync(path, 'utf8')).packages ?? {};
}

async function installPackages() {
  if ((await runNpm(['ci', '--include=dev', ...INSTALLING])) !== 0) {
    throw new StepFailed(
      'npm ci failed; its messages are above. It needs the npm registry, or a filled npm cache.',
    );
  }
}

/** No package that is used here needs its install script, and running one would need a shell. */
const INSTALLING = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'];

/**
 * The libraries that the benchmark compares with, where they are not installed yet. Without them it does what it can.
 */
export async function provideBenchmarkPeers() {
  if (existsSync(join(ROOT, 'bench/node_modules/.package-lock.json'))) return;
  await step('Install the libraries to compare with (npm ci --prefix bench)', async () => {
    if ((await runNpm(['ci', '--prefix', 'bench', ...INSTALLING])) !== 0) {
      console.log('   They could not be installed: going on without them.');
    }
  });
}

/** @returns {boolean} whether anything in src or bench is newer than what was built of it */
export function buildIsOld() {
  const built = join(ROOT, 'dist/bench/main.js');
  if (!existsSync(built)) return true;
  const when = statSync(built).mtimeMs;
  return ['src', 'bench'].some((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).some(
      (path) =>
        path.endsWith('.ts') &&
        !path.startsWith('node_modules') &&
        statSync(join(ROOT, folder, path)).mtimeMs > when,
    ),
  );
}

export async function build() {
  // what is no longer in src must not stay runnable
  rmSync(join(ROOT, 'dist'), { recursive: true, force: true });
  // the benchmark is built on top of what is in src
  for (const project of ['tsconfig.build.json', 'bench']) {
    if ((await runNode([TOOLS.tsc, '-p', project])) === 0) continue;
    throw new StepFailed("The build failed; TypeScript's messages are above.");
  }
  // npx runs it as a program, in a clone too
  chmodSync(join(ROOT, 'dist/cli/tailray.js'), 0o755);
}

/**
 * @typedef {{ accepted: boolean, name: string, kind?: string, description?: string, reason?: string }} AdapterReport
 * @typedef {{ choice: string, chosen: string | null, adapters: AdapterReport[], roofline?: { gflops: number } }} Devices
 */

/** @returns {Promise<Devices>} with an adapter chosen */
async function provideAdapter() {
  let devices = await listDevices();
  if (devices.chosen === null && (devices.choice === '' || devices.choice === 'swiftshader')) {
    devices = await listDevices('--fetch');
  }
  const chosen = devices.adapters.find(({ accepted, name }) => accepted && name === devices.chosen);
  if (!chosen) {
    await runNode(['dist/cli/devices.js']);
    throw new StepFailed('There is no adapter to compute on; what was found is listed above.');
  }
  console.log(`   ${chosen.name}: ${chosen.description}`);
  return devices;
}

/**
 * @param {string[]} options
 * @returns {Promise<Devices>}
 */
export async function listDevices(...options) {
  const { code, stdout } = await capture(['dist/cli/devices.js', '--json', ...options]);
  if (code !== 0) throw new StepFailed('Looking for adapters failed; the reason is above.');
  return JSON.parse(stdout);
}

/** @param {string[]} words */
function runNpm(words) {
  const script = process.env.npm_execpath;
  if (script && /^npm(-cli)?\.[cm]?js$/.test(basename(script))) return runNode([script, ...words]);
  return process.platform === 'win32' ? run('npm.cmd', words, {}, true) : run('npm', words, {});
}

/**
 * Like `runNode`, without remarks of Dawn and RADV that cannot be turned off and mean nothing here.
 * @param {string[]} words
 * @param {Record<string, string>} environment
 */
export function runNodeQuietly(words, environment) {
  const env = { ...process.env, ...plainOutput(), ...environment };
  const child = spawn(process.execPath, words, { cwd: ROOT, env, stdio: ['ignore', 'inherit', 'pipe'] });
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (!/^Warning: maxDynamic\w+ artificially reduced|^ac_compute_device_uuid/.test(line))
      process.stderr.write(`${line}\n`);
  });
  return finished(child, process.execPath);
}

/** No colours in a log file, also for programs that show them whenever they see CI. */
function plainOutput() {
  return process.stdout.isTTY ? {} : { NO_COLOR: '1' };
}

/**
 * @param {string} program
 * @param {string[]} words
 * @param {Record<string, string>} environment
 * @param {boolean} [shell] Windows starts .cmd files by its shell only
 * @returns {Promise<number>}
 */
function run(program, words, environment, shell = false) {
  const env = { ...process.env, ...plainOutput(), ...environment };
  const child = spawn(program, words, { cwd: ROOT, env, shell, stdio: ['ignore', 'inherit', 'inherit'] });
  return finished(child, program);
}

/**
 * @param {string[]} words
 * @returns {Promise<{ code: number, stdout: string }>}
 */
async function capture(words) {
  const child = spawn(process.execPath, words, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  return { code: await finished(child, process.execPath), stdout };
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {string} program
 * @returns {Promise<number>}
 */
function finished(child, program) {
  return new Promise((resolve) => {
    child.on('error', (error) => {
      console.error(`${program} cannot be started: ${error.message}`);
      resolve(1);
    });
    child.on('close', (code, signal) => {
      if (signal) console.error(`${program} was ended by ${signal}`);
      resolve(code ?? 1);
    });
  });
}
