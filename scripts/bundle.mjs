// @ts-check
/**
 * `npm run bundle`: one archive for linux-x64 that runs where there is no node, no registry and no internet: node itself,
 * the built commands, exactly those files of the packages that they load, the benchmark with its peers, the tests of
 * kernels, losses, models and engine, and SwiftShader (with a Vulkan loader) for machines without a GPU. Unpack it anywhere and
 * run `./tailray devices`, or `./gpu-check` for all that the machine can tell.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { listDevices, prepare, provideBenchmarkPeers, ROOT, StepFailed, step } from './setup.mjs';

/** What the archive must stay below, so that it fits a mail gateway or a CD. */
const MOST_BYTES = 60e6;

/** Packages whose entry the benchmark finds at run time. onnxruntime, 45 MB on its own, stays out. */
const PEERS = ['@tensorflow/tfjs', '@tensorflow/tfjs-backend-webgpu', '@jax-js/jax'];

/** The tests that a machine with a GPU runs, and what they share. */
const TESTS = ['kernels', 'losses', 'models', 'engine', 'golden'];

/** What benchmark.js, below benny, and the threads that decode DICOM ask for in a way that a trace does not see. */
const UNSEEN = [
  'benchmark',
  'lodash',
  'platform',
  'fast-check',
  ...['charls', 'openjpeg'].flatMap((name) =>
    ['decodewasmjs', 'decodewasm'].map((file) => `@cornerstonejs/codec-${name}/${file}`),
  ),
];

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const NAME = `tailray-${version}-linux-x64`;
const TARGET = join(ROOT, 'runs/bundle');
const STAGE = join(TARGET, NAME);

try {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new StepFailed('The bundle takes this node along, so it can be made on linux-x64 only.');
  }
  await prepare();
  await provideBenchmarkPeers();
  await step('Provide SwiftShader', () => listDevices('--fetch'));
  rmSync(STAGE, { recursive: true, force: true });
  mkdirSync(join(STAGE, 'bin'), { recursive: true });
  await step('Collect what the commands load', collect);
  await step('Add node, SwiftShader and texts', addRest);
  const archive = await step('Pack', pack);
  console.log(`\n  ${archive}  ${(statSync(archive).size / 1e6).toFixed(1)} MB`);
  console.log(`  tar xf ${NAME}.tar.gz && ${NAME}/gpu-check\n`);
} catch (error) {
  if (!(error instanceof StepFailed)) throw error;
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}

/** Copies every file that dist's programs and the peers reach by import, with the licences of their packages. */
async function collect() {
  const bench = createRequire(join(ROOT, 'bench/package.json'));
  // the types of @vercel/nft are there only where the benchmark is installed
  /** @type {{ nodeFileTrace(files: string[], options: { base: string, processCwd: string }): Promise<{ fileList: Set<string> }> }} */
  const { nodeFileTrace } = await import(pathToFileURL(bench.resolve('@vercel/nft')).href);
  const programs = readdirSync(join(ROOT, 'dist'), { recursive: true, encoding: 'utf8' })
    // what compiles for another GPU's driver needs that driver, and no GPU
    .filter((path) => /\.m?js$/.test(path) && !path.startsWith('bench/shaders'))
    .map((path) => join(ROOT, 'dist', path));
  const own = createRequire(join(ROOT, 'package.json'));
  const runner = [
    ...['vitest/index.js', 'run-test-file.mjs'].map((name) => join(ROOT, 'scripts/bundle', name)),
    ...['jiti-register', 'jiti-hooks'].map((name) => join(ROOT, `node_modules/jiti/lib/${name}.mjs`)),
  ];
  const unseen = [...PEERS.map((name) => bench.resolve(name)), ...UNSEEN.map((name) => own.resolve(name))];
  const entries = [...unseen, ...runner];
  const { fileList } = await nodeFileTrace([...programs, ...entries], {
    base: ROOT,
    processCwd: ROOT,
  });
  const files = [...fileList].filter((path) => /^(dist|node_modules|bench)\//.test(path) && !foreign(path));
  const packages = new Set(files.map(packageOf).filter((folder) => folder !== undefined));
  for (const folder of packages) files.push(...papersOf(folder));
  for (const path of new Set(files)) {
    if (!statSync(join(ROOT, path)).isFile()) continue;
    mkdirSync(dirname(join(STAGE, path)), { recursive: true });
    copyFileSync(join(ROOT, path), join(STAGE, path));
  }
  console.log(`   ${files.length} files of ${packages.size} packages`);
}

/**
 * Binaries of other platforms, which a trace follows too.
 * @param {string} path
 */
function foreign(path) {
  return (
    path.endsWith('.map') || (/node_modules\/webgpu\/dist\//.test(path) && !path.includes('/linux-x64/'))
  );
}

/** @param {string} path of a file, relative to the project */
function packageOf(path) {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];
}

/**
 * What a package is, and what it allows.
 * @param {string} folder of a package, relative to the project
 */
function papersOf(folder) {
  return readdirSync(join(ROOT, folder))
    .filter((name) => /^(package\.json$|licen[cs]e|notice|copying|third)/i.test(name))
    .map((name) => join(folder, name));
}

async function addRest() {
  const node = join(STAGE, 'bin/node');
  copyFileSync(process.execPath, node);
  chmodSync(node, 0o755);
  // symbols are half of what can be saved; a node without them runs the same
  execute('strip', [node], 'strip is missing (package binutils): node goes along with its symbols.');
  for (const name of ['tailray', 'gpu-check']) {
    copyFileSync(join(ROOT, 'scripts/bundle/launcher.sh'), join(STAGE, name));
    chmodSync(join(STAGE, name), 0o755);
  }
  addTests();
  const texts = [
    'package.json',
    'bench/package.json',
    'bench/pytorch.py',
    'README.md',
    'LICENSE',
    'recipes',
    'docs',
  ];
  for (const name of texts) {
    cpSync(join(ROOT, name), join(STAGE, name), { recursive: true });
  }
  const { findSwiftShader } = await import(
    pathToFileURL(join(ROOT, 'dist/platform/node/swiftshader.js')).href
  );
  const files = findSwiftShader();
  if (!files) throw new StepFailed('SwiftShader was fetched and is not there.');
  cpSync(dirname(files.manifest), join(STAGE, 'swiftshader'), { recursive: true });
}

/** Tests as they stand, over what is built, with a stand-in for vitest that needs no server to compile them. */
function addTests() {
  const shared = readdirSync(join(ROOT, 'test')).filter((name) => name.endsWith('.ts'));
  for (const name of [...TESTS, ...shared]) {
    cpSync(join(ROOT, 'test', name), join(STAGE, 'test', name), { recursive: true });
  }
  cpSync(join(ROOT, 'scripts/bundle/run-test-file.mjs'), join(STAGE, 'test/run-test-file.mjs'));
  cpSync(join(ROOT, 'scripts/bundle/vitest'), join(STAGE, 'test/node_modules/vitest'), { recursive: true });
  symlinkSync('dist', join(STAGE, 'src'));
}

/** The same files give the same bytes. */
async function pack() {
  const archive = join(TARGET, `${NAME}.tar.gz`);
  const steady = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0'];
  const packed = execute('tar', [...steady, '-I', 'gzip -9n', '-cf', archive, '-C', TARGET, NAME]);
  if (!packed) throw new StepFailed('tar failed: GNU tar and gzip are needed.');
  const bytes = statSync(archive).size;
  if (bytes > MOST_BYTES) {
    throw new StepFailed(`The archive has ${bytes} bytes, more than the ${MOST_BYTES} it may have.`);
  }
  return archive;
}

/**
 * @param {string} program
 * @param {string[]} words
 * @param {string} [otherwise] said when it fails
 * @returns {boolean} whether it went well
 */
function execute(program, words, otherwise) {
  const { status } = spawnSync(program, words, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0 && otherwise) console.warn(`   ${otherwise}`);
  return status === 0;
}
