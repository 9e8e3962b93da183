import { fork, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findSwiftShader } from '#src/platform/node/swiftshader.js';
import { driverManifests } from '#src/platform/node/vulkan-drivers.js';
import { onlyDrivers, quietMesa } from '#src/platform/node/vulkan-loader.js';
import { BenchError } from '../bench-error.js';

/**
 * WGSL as the SPIR-V that Dawn gives to a driver. Dawn prints it as text, on any adapter that can be opened; `spirv-as` of
 * the SPIR-V tools turns that into words.
 */
export interface Shader {
  readonly code: string;
  /** Absent: the layout follows from the code. */
  readonly layout?: GPUBindGroupLayoutDescriptor;
}

export interface SpirvModule {
  readonly words: Uint8Array;
  readonly bindings: readonly SpirvBinding[];
  /** Name of the entry point. */
  readonly entry: string;
  /** Lanes of a workgroup along each axis. */
  readonly size: readonly [number, number, number];
}

export interface SpirvBinding {
  readonly number: number;
  readonly kind: 'storage' | 'uniform' | 'image';
}

const TRANSLATOR = fileURLToPath(new URL('./dump-spirv.mjs', import.meta.url));
/** Dawn announces each module and then each pipeline by one of these. */
const OF_WGSL = '// Dumped WGSL:';
const OF_SPIRV = '/* Dumped SPIRV disassembly */';

/** @returns for each shader its SPIR-V as text, or the reason why Dawn refuses it. @throws BenchError */
export async function translate(shaders: readonly Shader[]): Promise<(string | BenchError)[]> {
  const env = { ...process.env, ...quietMesa(), ...onlyDrivers(translatingDriver()) };
  const child = fork(TRANSLATOR, { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: [] });
  const printed = collect(child.stdout);
  const said = collect(child.stderr);
  let errors: (string | null)[] | undefined;
  child.on('message', (message) => {
    errors = message as (string | null)[];
  });
  child.send(shaders);
  await new Promise((resolve) => child.once('close', resolve));
  if (!errors) throw new BenchError(`Dawn could not translate the shaders: ${(await said).trim()}`);
  const dumps = (await printed).split(OF_WGSL).slice(1);
  return errors.map((error, i) => {
    const assembly = dumps[i]?.split(OF_SPIRV)[1];
    return error === null && assembly !== undefined
      ? assembly
      : new BenchError(error ?? 'Dawn printed no SPIR-V.');
  });
}

/** @throws BenchError where `spirv-as` refuses the text */
export async function assemble(assembly: string): Promise<SpirvModule> {
  // The mode is younger than Debian 12's spirv-as, and makes no difference to the machine code.
  const text = assembly
    .split('\n')
    .filter((line) => /^\s*(;|Op|%)/.test(line) && !/maximal/i.test(line))
    .join('\n');
  const storage = new Map(
    Array.from(text.matchAll(/^\s*(%\w+) = OpVariable %\w+ (\w+)/gm), ([, id, where]) => [id, where]),
  );
  const kinds: Record<string, SpirvBinding['kind']> = { StorageBuffer: 'storage', UniformConstant: 'image' };
  const bindings = Array.from(text.matchAll(/OpDecorate (%\w+) Binding (\d+)/g), ([, id, number]) => ({
    number: Number(number),
    kind: kinds[storage.get(id) ?? ''] ?? 'uniform',
  }));
  const entry = /OpEntryPoint GLCompute %\w+ "(\w+)"/.exec(text)?.[1] ?? 'main';
  const [, x, y, z] = /OpExecutionMode %\w+ LocalSize (\d+) (\d+) (\d+)/.exec(text) ?? [];
  return {
    words: await run('spirv-as', ['--target-env', 'vulkan1.3', '-', '-o', '-'], text),
    bindings,
    entry,
    size: [Number(x), Number(y), Number(z)],
  };
}

/** Lavapipe, which has f16; SwiftShader where there is none. */
function translatingDriver(): string {
  const lavapipe = driverManifests({}).find((path) => /^lvp_icd/.test(basename(path)));
  const driver = lavapipe ?? findSwiftShader()?.manifest;
  if (driver === undefined || !existsSync(driver)) {
    throw new BenchError('no software adapter translates the shaders: run scripts/install-lavapipe.sh.');
  }
  return driver;
}

async function run(program: string, words: readonly string[], input: string): Promise<Uint8Array> {
  const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const said = collect(child.stderr);
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', () => reject(new BenchError(`${program} cannot be started: ${HOW_TO_INSTALL}`)));
    child.once('close', (code) => resolve(code ?? 1));
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  if ((await ended) !== 0) throw new BenchError(`${program} refused the SPIR-V: ${(await said).trim()}`);
  return new Uint8Array(Buffer.concat(chunks));
}

export const HOW_TO_INSTALL =
  'it is part of spirv-tools (Debian, Ubuntu, Arch, Fedora): install that package.';

async function collect(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = '';
  stream?.setEncoding('utf8');
  for await (const chunk of stream ?? []) text += chunk;
  return text;
}
