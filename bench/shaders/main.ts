import { InvalidArgumentError } from 'commander';
import { parser, runCommand } from '#src/cli/command.js';
import { positiveNumber } from '#src/cli/options/number-option.js';
import { nodeGpuGlobals } from '#src/platform/node/dawn.js';
import { BenchError } from '../bench-error.js';
import { changes, check, chosen } from './check.js';
import { openNullDevice } from './driver/null-device.js';
import { gpuOf } from './gpu.js';
import { listing } from './isa/listing.js';
import { judge } from './judge.js';
import { keptPath, readKept, summarise, writeKept } from './kept.js';
import { judgeFile } from './one-file.js';
import { selectPrograms } from './programs.js';
import { idleUnits, programTable, programTotals, refusedLines, rowsOf } from './table.js';
import { obstacleHere, tallyOf, tell } from './tally.js';

/** `npm run shaders`: how good the kernels of whole programs are on a GPU that is not there, by its own compiler. */

interface Flags {
  readonly program: readonly string[];
  readonly kernels: string;
  readonly top: number;
  readonly all?: boolean;
  readonly isa?: boolean;
  readonly family: string;
  readonly file?: string;
  readonly groups: readonly number[];
  readonly dims: readonly number[];
  readonly bytes: number;
  readonly compare?: string;
  readonly keep?: string | true;
  readonly check?: boolean;
}

async function shaders(flags: Flags): Promise<void> {
  if (flags.check) {
    const obstacle = obstacleHere();
    if (obstacle) return tell(obstacle);
  }
  const gpu = gpuOf(flags.family);
  await nodeGpuGlobals();
  const device = openNullDevice(gpu.family);
  print(`${device.name}, Mesa ${device.version}`);
  if (flags.file !== undefined) {
    const { file: path, groups, dims, bytes, isa = false } = flags;
    for (const line of await judgeFile({ path, groups, dims, bytes, isa }, gpu, device)) print(line);
    return;
  }
  const { kernels } = flags;
  const judgement = await judge(selectPrograms(flags.program), {
    gpu,
    device,
    wanted: ({ op, variant }) => op.includes(kernels) || variant.includes(kernels),
  });
  const { programs, refused } = judgement;
  const kept = (path: string) => (path === 'kept' ? keptPath(device.version) : path);
  const now = { mesa: device.version, family: gpu.family, programs: summarise(judgement) };
  if (flags.check) {
    const before = readKept(keptPath(device.version));
    return tell(tallyOf(check(judgement, before), before !== undefined, device.version));
  }
  if (flags.compare !== undefined) {
    const path = kept(flags.compare);
    const before = readKept(path);
    if (!before) throw new BenchError(`there is no ${path}.`);
    // a choice of kernels leaves out the rest on both sides
    for (const line of changes(now.programs, chosen(before, kernels))) print(line);
    return;
  }
  const top = flags.all ? Number.POSITIVE_INFINITY : flags.top;
  for (const program of programs) {
    print(`\n━━ ${program.program}`);
    for (const line of programTable(program, top)) print(line);
    for (const line of idleUnits(program, gpu)) print(line);
    if (!flags.isa) continue;
    for (const { first } of rowsOf(program.dispatches).slice(0, top)) {
      print(`\n${first.key}: ${first.dispatch.op} ${first.dispatch.variant} ${first.dispatch.shape}`);
      for (const line of listing(first.kernel, first.modelled)) print(line);
    }
  }
  print('');
  for (const program of programs) for (const line of programTotals(program)) print(line);
  for (const line of refusedLines(refused)) print(line);
  if (refused.length > 0) process.exitCode = 1;
  if (flags.keep !== undefined) {
    if (refused.length > 0)
      throw new BenchError('--keep keeps kernels that compile, and some do not, see above.');
    if (kernels !== '') throw new BenchError('--keep keeps whole programs: leave out --kernels.');
    const path = kept(flags.keep === true ? 'kept' : flags.keep);
    writeKept(path, now);
    print(`Kept in ${path}`);
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** `a b` and `a,b` are both two names. */
function several(text: string, before: readonly string[]): string[] {
  return [...before, ...text.split(',').filter((name) => name !== '')];
}

/** `64,576,-1`: whole numbers as words of 32 bits. */
function words(text: string): number[] {
  return text.split(',').map((part) => {
    const value = Number(part);
    if (part.trim() === '' || !Number.isInteger(value)) {
      throw new InvalidArgumentError(`"${part}" is no whole number.`);
    }
    return value >>> 0;
  });
}

await runCommand(
  parser('npm run shaders --')
    .option('--program <names...>', 'only these programs', several, [])
    .option('--kernels <text>', 'only ops or variants whose name contains this', '')
    .option('--top <n>', 'rows to print of each program', positiveNumber, 30)
    .option('--all', 'print all rows')
    .option('--isa', 'print the machine code of the kernels shown, too')
    .option('--family <name>', "RADV's name of an AMD family; times are modelled as NAVI31's", 'NAVI31')
    .option('--file <path>', 'a kernel in a WGSL file, bindings and all, instead of programs')
    .option('--groups <x,y,z>', 'its workgroups', words, [1])
    .option('--dims <words>', 'the words of its uniform binding, in order: 64,576,16', words, [])
    .option('--bytes <n>', 'bytes that it has to move', positiveNumber, 0)
    .option('--compare <file>', "what changed against a file of --keep, or against `kept`, the project's own")
    .option('--keep [file]', "write down what there is now, into the project's own file or another")
    .option('--check', 'as verify does: fail on spills, scratch, refusals and lost occupancy')
    .action(shaders),
);
