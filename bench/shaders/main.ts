import { parser, runCommand } from '#src/cli/command.js';
import { positiveNumber } from '#src/cli/options/number-option.js';
import { nodeGpuGlobals } from '#src/platform/node/dawn.js';
import { NAVI31 } from './gpu.js';
import { judge } from './judge.js';
import { openNullDevice } from './null-device.js';
import { selectPrograms } from './programs.js';
import { useRadv } from './radv.js';
import { idleUnits, programTable, programTotals, refusedLines } from './table.js';

/** `npm run shaders`: how good the kernels of whole programs are on a GPU that is not there, by its own compiler. */

interface Flags {
  readonly program: readonly string[];
  readonly kernels?: string;
  readonly top: number;
  readonly all?: boolean;
}

async function shaders(flags: Flags): Promise<void> {
  const gpu = NAVI31;
  const names = selectPrograms(flags.program);
  await nodeGpuGlobals();
  useRadv(gpu.family);
  const device = openNullDevice();
  print(`${device.name}`);
  const { kernels = '' } = flags;
  const { programs, refused } = await judge(names, {
    gpu,
    device,
    wanted: ({ op, variant }) => op.includes(kernels) || variant.includes(kernels),
  });
  for (const program of programs) {
    print(`\n━━ ${program.program}`);
    for (const line of programTable(program, flags.all ? Number.POSITIVE_INFINITY : flags.top)) print(line);
    for (const line of idleUnits(program, gpu)) print(line);
  }
  print('');
  for (const program of programs) for (const line of programTotals(program)) print(line);
  for (const line of refusedLines(refused)) print(line);
  if (refused.length > 0) process.exitCode = 1;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** `a b` and `a,b` are both two names. */
function several(text: string, before: readonly string[]): string[] {
  return [...before, ...text.split(',').filter((name) => name !== '')];
}

await runCommand(
  parser('npm run shaders --')
    .option('--program <names...>', 'only these programs', several, [])
    .option('--kernels <text>', 'only ops or variants whose name contains this')
    .option('--top <n>', 'rows to print of each program', positiveNumber, 30)
    .option('--all', 'print all rows')
    .action(shaders),
);
