import { fork, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findSwiftShader } from '#src/platform/node/swiftshader.js';
import { driverManifests } from '#src/platform/node/vulkan-drivers.js';
import { onlyDrivers, quietMesa } from '#src/platform/node/vulkan-loader.js';
import { BenchError } from '../../bench-error.js';

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
  /** Lanes of a subgroup, where the shader asks for a number. */
  readonly subgroupSize?: number | undefined;
}

export interface SpirvBinding {
  readonly number: number;
  readonly kind: 'storage' | 'uniform' | 'image';
}

const TRANSLATOR = fileURLToPath(new URL('./dump-spirv.mjs', import.meta.url));
/** Dawn announces each module and then each pipeline by one of these. */
const OF_WGSL = '// Dumped WGSL:';
const OF_SPIRV = '/* Dumped SPIRV disassembly */';

/** SPIR-V as text, with what it does not tell. */
export interface Translated {
  readonly assembly: string;
  readonly subgroupSize: number | undefined;
}

/**
 * @param matrixDriver takes shaders with subgroup matrices, which no software adapter has
 * @returns for each shader its SPIR-V, or the reason why Dawn refuses it @throws BenchError
 */
export async function translate(
  shaders: readonly Shader[],
  matrixDriver: MatrixDriver,
): Promise<(Translated | BenchError)[]> {
  const plain = shaders.filter((shader) => !usesMatrices(shader));
  const matrices = shaders.filter(usesMatrices);
  const driver = translatingDriver();
  if (driver === undefined) {
    throw new BenchError('no software adapter translates the shaders: run scripts/install-lavapipe.sh.');
  }
  const ofPlain = await translateOn(onlyDrivers(driver), plain, []);
  const ofMatrices = await translateOn(matrixDriver.environment, matrices, matrixDriver.silenced());
  return shaders.map((shader) => {
    const assembly = (usesMatrices(shader) ? ofMatrices : ofPlain).shift()!;
    const pinned = /@subgroup_size\((\d+)\)/.exec(shader.code)?.[1];
    return assembly instanceof BenchError
      ? assembly
      : { assembly, subgroupSize: pinned === undefined ? undefined : Number(pinned) };
  });
}

/** RADV's null device as one that Dawn can open, see dump-spirv.mjs. */
export interface MatrixDriver {
  readonly environment: Readonly<Record<string, string>>;
  /** The functions that it must not call. */
  silenced(): { readonly library: string; readonly offset: number }[];
}

export function usesMatrices({ code }: Shader): boolean {
  return code.includes('subgroup_matrix');
}

async function translateOn(
  driver: Readonly<Record<string, string>>,
  shaders: readonly Shader[],
  silenced: ReturnType<MatrixDriver['silenced']>,
): Promise<(string | BenchError)[]> {
  if (shaders.length === 0) return [];
  const env = { ...process.env, ...quietMesa(), ...driver };
  const child = fork(TRANSLATOR, { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: [] });
  const printed = collect(child.stdout);
  const said = collect(child.stderr);
  let errors: (string | null)[] | undefined;
  child.on('message', (message) => {
    errors = message as (string | null)[];
  });
  child.send({ shaders, silenced });
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

/**
 * Text into words, all in one go: starting a program takes longer than assembling.
 * @returns for each text its words, or why `spirv-as` refuses it
 */
export async function assemble(translated: readonly Translated[]): Promise<(SpirvModule | BenchError)[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tailray-spirv-'));
  try {
    const texts = translated.map(({ assembly }) => assemblable(assembly));
    const paths = texts.map((text, i) => {
      const path = join(folder, `${i}.spvasm`);
      writeFileSync(path, text);
      return path;
    });
    const said = await assembleFiles(paths);
    return texts.map((text, i) => {
      const words = `${paths[i]}.spv`;
      if (!existsSync(words)) return new BenchError(`spirv-as refused the SPIR-V: ${said}`);
      const { subgroupSize } = translated[i]!;
      return { words: new Uint8Array(readFileSync(words)), ...readModule(text), subgroupSize };
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * In words that Debian 12's spirv-as knows, too. A mode that it is too old for is left out, which makes no difference to the
 * machine code; instructions on matrices are written as numbers.
 */
function assemblable(assembly: string): string {
  return assembly
    .split('\n')
    .filter((line) => /^\s*(Op|%)/.test(line) && !/maximal/i.test(line))
    .map(inNumbers)
    .join('\n');
}

const MATRIX_CODES: Readonly<Record<string, number>> = {
  OpTypeCooperativeMatrixKHR: 4456,
  OpCooperativeMatrixLoadKHR: 4457,
  OpCooperativeMatrixStoreKHR: 4458,
  OpCooperativeMatrixMulAddKHR: 4459,
  OpCooperativeMatrixLengthKHR: 4460,
};
const MATRIX_FLAGS: Readonly<Record<string, string>> = {
  NonPrivatePointer: '!32',
  NoneKHR: '!0',
  None: '!0',
};

/** `%result = OpName %type …` as the words that it stands for: their number and the code, type, result, operands. */
function inNumbers(line: string): string {
  if (/OpCapability CooperativeMatrixKHR/.test(line)) return 'OpCapability !6022';
  const [, result, name = '', rest = ''] =
    /^\s*(?:(%\w+) = )?(Op\w*CooperativeMatrix\w+)\s*(.*)$/.exec(line) ?? [];
  const code = MATRIX_CODES[name];
  if (code === undefined) return line;
  const operands = rest.split(/\s+/).map((operand) => MATRIX_FLAGS[operand] ?? operand);
  if (result !== undefined) operands.splice(name.startsWith('OpType') ? 0 : 1, 0, result);
  const words = [`!${((operands.length + 1) << 16) | code}`, ...operands].join(' ');
  // else an instruction before it that takes any number of operands would take the number for one of them
  return `OpNoLine\n${words}`;
}

function readModule(text: string): Omit<SpirvModule, 'words'> {
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
  return { bindings, entry, size: [Number(x), Number(y), Number(z)] };
}

/** The manifest of lavapipe, which has f16; of SwiftShader where there is none; undefined where there is neither. */
export function translatingDriver(): string | undefined {
  const lavapipe = driverManifests({}).find((path) => /^lvp_icd/.test(basename(path)));
  return lavapipe ?? findSwiftShader()?.manifest;
}

/** Two at a time. @returns what `spirv-as` had to say */
async function assembleFiles(paths: readonly string[]): Promise<string> {
  if (!spirvAsIsThere()) throw new BenchError(`there is no spirv-as: ${HOW_TO_INSTALL}`);
  const words = ['spirv-as', '--target-env', 'vulkan1.3', '{}', '-o', '{}.spv'];
  const child = spawn('xargs', ['-P', '2', '-I', '{}', ...words], { stdio: ['pipe', 'ignore', 'pipe'] });
  const said = collect(child.stderr);
  const ended = new Promise((resolve, reject) => {
    child.once('error', () => reject(new BenchError('xargs cannot be started: it is part of findutils.')));
    child.once('close', resolve);
  });
  child.stdin.end(paths.join('\n'));
  await ended;
  return (await said).trim();
}

export function spirvAsIsThere(): boolean {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.some((folder) => existsSync(join(folder, 'spirv-as')));
}

export const HOW_TO_INSTALL =
  'it is part of spirv-tools (Debian, Ubuntu, Arch, Fedora): install that package.';

async function collect(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = '';
  stream?.setEncoding('utf8');
  for await (const chunk of stream ?? []) text += chunk;
  return text;
}
