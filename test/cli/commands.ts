import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The commands as a person runs them: compiled, each in a process of its own. They are compiled once a test file, into
 * a folder that git ignores.
 */
export interface Commands {
  /** Where the compiled modules lie. */
  readonly dist: string;
  run(name: string, words: readonly string[], options?: RunOptions): Promise<Finished>;
  remove(): Promise<void>;
}

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** Sees the process and what it has printed so far, each time it prints something. */
  onOutput?: (printed: string, child: ChildProcess) => void;
}

export interface Finished {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

const root = resolve(fileURLToPath(import.meta.url), '../../..');

export async function buildCommands(): Promise<Commands> {
  const folder = resolve(root, '.cache', `commands-${process.pid}`);
  await mkdir(folder, { recursive: true });
  await copyFile(resolve(root, 'package.json'), resolve(folder, 'package.json'));
  const compiler = resolve(root, 'node_modules/typescript/bin/tsc');
  const words = [
    compiler,
    '-p',
    'tsconfig.build.json',
    '--outDir',
    resolve(folder, 'dist'),
    '--sourceMap',
    'false',
  ];
  spawnSync(process.execPath, words, { cwd: root });
  return {
    dist: resolve(folder, 'dist'),
    run: (name, given, options) => start([resolve(folder, 'dist/cli', `${name}.js`), ...given], options),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A node process of its own. */
export function start(
  words: readonly string[],
  { cwd, env = {}, onOutput }: RunOptions = {},
): Promise<Finished> {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, words, { cwd, env: { ...process.env, ...env } });
    const printed = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].on('data', (chunk: Buffer) => {
        printed[stream] += chunk.toString();
        onOutput?.(printed.stdout + printed.stderr, child);
      });
    }
    child.on('error', failed);
    child.on('close', (code, signal) => done({ code, signal, ...printed }));
  });
}
