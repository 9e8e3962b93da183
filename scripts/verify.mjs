// @ts-check
/**
 * `npm run verify`: everything that must hold, from a fresh clone on. Its last line is `N passed, N failed, N skipped`,
 * counting tests over all runs; a failed lint, type check or set-up counts as one failure. It fails when anything
 * failed or nothing ran.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  listDevices,
  prepare,
  provideBenchmarkPeers,
  runNode,
  runNodeQuietly,
  StepFailed,
  step,
  TOOLS,
} from './setup.mjs';

/** Tests whose results depend on the adapter: they run a second time where another adapter can be had. */
const ADAPTER_TESTS = ['test/kernels', 'test/engine', 'test/platform', 'test/losses', 'test/models'];
const SECOND_ADAPTER = 'swiftshader';

/** Tests that run once more with the kernels that a GPU would get. What takes minutes so is left out. */
const GPU_TESTS = [
  'test/kernels/conv',
  'test/kernels/product',
  'test/kernels/reduce',
  'test/kernels/norm',
  'test/kernels/attention',
  'test/kernels/loss',
  'test/kernels/pytorch-ops.test.ts',
  'test/models/heads/csra.test.ts',
  'test/models/backbones/drop-path.test.ts',
  'test/train/step/step-program.test.ts',
  'test/train/step/lora.test.ts',
];
/** These force their kernels by name, whatever the rules are. */
const NOT_FOR_GPU_RULES = ['tile-matrix', 'matrix-syntax', 'tile-family'];

/** @type {import('./tally-reporter.mjs').Tally} */
const total = { passed: 0, failed: [], skipped: [] };

try {
  const { chosen } = await prepare();
  // ONNX Runtime is one of them; tests that need it are skipped, and say so, where it can't be had
  await provideBenchmarkPeers();
  const second = chosen !== SECOND_ADAPTER && (await secondAdapterIsThere());
  // biome ends with 0 on warnings unless told otherwise
  const lint = ['ci', '--error-on-warnings', ...(process.stdout.isTTY ? [] : ['--colors=off']), '.'];
  await check('Lint (biome ci)', [TOOLS.biome, ...lint]);
  await check('Type check', [TOOLS.tsc, '--noEmit']);
  await check('Type check of the rooms that run in a browser, too', [
    TOOLS.tsc,
    '-p',
    'tsconfig.browser.json',
  ]);
  await checkKernels();
  await test(`All tests on ${chosen}`, chosen ?? '', []);
  if (second) {
    await test(
      `Tests of kernels, engine, losses and models on ${SECOND_ADAPTER}`,
      SECOND_ADAPTER,
      ADAPTER_TESTS,
    );
  }
  await test(
    'Kernels, losses and training steps with the kernels of a GPU',
    chosen ?? '',
    [...GPU_TESTS, ...NOT_FOR_GPU_RULES.map((name) => `--exclude=**/${name}.test.ts`)],
    { TAILRAY_RULES: 'gpu' },
  );
} catch (error) {
  total.failed.push(
    error instanceof StepFailed ? error.message : String(error instanceof Error ? error.stack : error),
  );
}
conclude();

/**
 * @param {string} title
 * @param {string[]} words
 */
async function check(title, words) {
  await step(title, async () => {
    if ((await runNode(words)) !== 0) total.failed.push(`${title}: its messages are above`);
  });
}

/** Compiles the kernels of whole programs for a GPU by its own compiler, where that is installed. */
async function checkKernels() {
  const title = 'Kernels compiled for RDNA 3, without a GPU';
  await tallied(title, ['dist/bench/shaders/main.js', '--check'], {}, true);
}

/**
 * Runs vitest on one adapter.
 * @param {string} title
 * @param {string} adapter
 * @param {string[]} folders all of them when empty
 * @param {Record<string, string>} [settings] further environment variables
 */
async function test(title, adapter, folders, settings = {}) {
  const reporters = ['--reporter=default', '--reporter=./scripts/tally-reporter.mjs'];
  const environment = { TAILRAY_ADAPTER: adapter, CI: 'true', ...settings };
  await tallied(title, [TOOLS.vitest, 'run', ...reporters, ...folders], environment);
}

/**
 * Runs a program that writes a tally, and adds that up.
 * @param {string} title
 * @param {string[]} words
 * @param {Record<string, string>} environment
 * @param {boolean} [optional] it may skip everything
 */
async function tallied(title, words, environment, optional = false) {
  await step(title, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tailray-verify-'));
    const path = join(folder, 'tally.json');
    try {
      const code = await runNodeQuietly(words, { ...environment, TAILRAY_TALLY: path });
      add(readTally(path), title, code, optional);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

/**
 * @param {string} path
 * @returns {import('./tally-reporter.mjs').Tally | undefined}
 */
function readTally(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * @param {import('./tally-reporter.mjs').Tally | undefined} tally
 * @param {string} title
 * @param {number} code the program's exit code
 * @param {boolean} optional
 */
function add(tally, title, code, optional) {
  if (!tally) {
    total.failed.push(`${title}: it ended with code ${code} before it could report`);
    return;
  }
  total.passed += tally.passed;
  total.failed.push(...tally.failed.map((name) => `${name} (${title})`));
  total.skipped.push(...tally.skipped);
  const skipped = optional && tally.skipped.length > 0;
  if (tally.passed + tally.failed.length === 0 && !skipped) total.failed.push(`${title}: no test ran`);
  else if (code !== 0 && tally.failed.length === 0) total.failed.push(`${title}: it ended with code ${code}`);
}

/** Offline, the first adapter has to do: the second run is a bonus there, and its absence is said. */
async function secondAdapterIsThere() {
  try {
    const { adapters } = await step(`Provide ${SECOND_ADAPTER}`, () => listDevices('--fetch'));
    if (adapters.some(({ accepted, kind }) => accepted && kind === SECOND_ADAPTER)) return true;
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
  }
  total.skipped.push({ name: `every test on ${SECOND_ADAPTER}`, reason: 'it cannot be had here, see above' });
  return false;
}

function conclude() {
  if (total.skipped.length > 0) console.log('\nSkipped:');
  for (const { name, reason } of total.skipped) console.log(`  ${name}${reason ? ` [${reason}]` : ''}`);
  if (total.failed.length > 0) console.log('\nFailed:');
  for (const name of total.failed) console.log(`  ${name}`);
  console.log(`\n${total.passed} passed, ${total.failed.length} failed, ${total.skipped.length} skipped`);
  process.exitCode = total.failed.length > 0 || total.passed === 0 ? 1 : 0;
}
