import { execFile } from 'node:child_process';
import {
  chmod,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildCommands, type Commands } from '../cli/commands.js';

/** The package as it is published: packed, installed into an empty project, compiled against and run there. */
const root = resolve(import.meta.dirname, '../..');
const run = promisify(execFile);

/** Bytes that the packed package must stay below. */
const MOST_BYTES = 1_300_000;

let commands: Commands;
let project: string;
let packed: { size: number; files: string[] };

beforeAll(async () => {
  commands = await buildCommands();
  const source = dirname(commands.dist);
  for (const name of ['README.md', 'LICENSE']) await copyFile(join(root, name), join(source, name));
  await cp(join(root, 'recipes'), join(source, 'recipes'), { recursive: true });
  // files that a build leaves in dist/ and that are of no use without the rest of a clone
  await mkdir(join(commands.dist, 'bench'));
  await writeFile(join(commands.dist, 'bench/main.js'), '');
  await writeFile(join(commands.dist, 'index.js.map'), '{}');

  project = await mkdtemp(join(tmpdir(), 'tailray-installed-'));
  await writeFile(join(project, 'package.json'), '{"type":"module","private":true}');
  const { stdout } = await npm(source, 'pack', '--json', '--pack-destination', project);
  const report = JSON.parse(stdout);
  // npm 12 names the package, older ones give a list
  const [{ filename, size, files }] = Array.isArray(report) ? report : Object.values(report);
  packed = { size, files: files.map(({ path }: { path: string }) => path) };
  await install(filename);
  await copyFile(join(root, 'test/package/program.ts'), join(project, 'program.ts'));
}, 300_000);

afterAll(async () => {
  await commands.remove();
  await rm(project, { recursive: true, force: true });
});

function npm(cwd: string, ...words: string[]) {
  return run('npm', words, { cwd, shell: process.platform === 'win32' });
}

/** By npm; where it reaches no registry, by hand, with this project's own copies of the packages that are declared. */
async function install(tarball: string): Promise<void> {
  const words = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', '--fetch-retries=0'];
  try {
    await npm(project, 'install', ...words, join(project, tarball));
  } catch {
    const modules = join(project, 'node_modules');
    const to = join(modules, 'tailray');
    await mkdir(join(modules, '.bin'), { recursive: true });
    await run('tar', ['xf', tarball], { cwd: project });
    await cp(join(project, 'package'), to, { recursive: true });
    const { dependencies, bin } = JSON.parse(await readFile(join(to, 'package.json'), 'utf8'));
    for (const name of Object.keys(dependencies)) {
      await mkdir(dirname(join(modules, name)), { recursive: true });
      await symlink(join(root, 'node_modules', name), join(modules, name));
    }
    await chmod(join(to, bin.tailray), 0o755);
    await symlink(join(to, bin.tailray), join(modules, '.bin/tailray'));
  }
}

test('the package holds what runs and its types, and is small', () => {
  expect(packed.files).toEqual(
    expect.arrayContaining([
      'dist/index.js',
      'dist/index.d.ts',
      'dist/cli/tailray.js',
      'recipes/quick.yaml',
      'README.md',
    ]),
  );
  const foreign = packed.files.filter((path) => /\.map$|^dist\/bench|^(src|test|bench)\//.test(path));
  expect(foreign).toEqual([]);
  expect(packed.size).toBeLessThan(MOST_BYTES);
});

test.each([
  ['nodenext', 'nodenext'],
  ['bundler', 'esnext'],
])(
  'a strict program compiles with moduleResolution %s, declarations checked, and runs',
  async (resolution, module) => {
    const outDir = `out-${resolution}`;
    const compilerOptions = {
      target: 'es2023',
      lib: ['es2023', 'dom'],
      types: [],
      module,
      moduleResolution: resolution,
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      outDir,
    };
    const config = join(project, `tsconfig.${resolution}.json`);
    await writeFile(config, JSON.stringify({ compilerOptions, files: ['program.ts'] }));
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    const { stdout } = await run(process.execPath, [compiler, '-p', config]).catch((error) => error);
    expect(stdout).toBe('');
    const ran = await run(process.execPath, [`${outDir}/program.js`], { cwd: project });
    const { value, grad, arch, architectures, losses, functions, rooms, listener } = JSON.parse(ran.stdout);
    expect(value).toBeCloseTo(0.5, 6);
    expect(grad).toEqual([expect.closeTo(0.5, 6), expect.closeTo(0.5, 6)]);
    expect({ arch, architectures, losses, functions, rooms, listener }).toEqual({
      arch: 'resnet18',
      architectures: true,
      losses: true,
      functions: true,
      rooms: [true, true],
      listener: 'function',
    });
  },
);

test('npx tailray has the help, finds the adapter, and says that the benchmark is elsewhere', async () => {
  const npx = (...words: string[]) => npm(project, 'exec', '--offline', '--', 'tailray', ...words);
  expect((await npx('--help')).stdout).toMatch(/^Usage: tailray <command>/);
  expect((await npx('devices')).stdout).toMatch(/Commands will use/);
  await expect(npx('bench')).rejects.toMatchObject({
    stderr: expect.stringContaining('not part of this installation'),
  });
  expect(await readdir(join(project, 'node_modules/tailray'))).toContain('recipes');
});
