import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parser, runCommand } from '#src/cli/command.js';
import { adapterOption } from '#src/cli/options/common-options.js';
import { positiveNumber } from '#src/cli/options/number-option.js';
import { tailrayVersion } from '#src/storage/version.js';
import { formatByteSize } from '#src/text/byte-size.js';
import { runFolderName } from '../saved-run.js';
import { writeArchive } from './check-archive.js';
import { type Context, type Done, moveIfThere, PARTS, type Part, without } from './check-parts.js';
import { planCheck } from './check-plan.js';
import { runNode } from './timed-process.js';

/**
 * `./gpu-check` of the bundle: all that a machine with a GPU can tell, in one command of less than ten minutes, without a
 * network: its adapter, whether kernels compute the right numbers on it, how fast they are beside other libraries, and
 * what the tuner makes of that. What fails is written down and stops nothing else. The result is one archive.
 */

const ROOT = fileURLToPath(new URL('..', import.meta.resolve('#bench/package.json')));

/** Without an adapter there is nothing to check, so looking for one may take its time. It takes a few seconds. */
const ADAPTER_SECONDS = 90;

interface Flags {
  readonly out: string;
  readonly seconds: number;
  readonly adapter?: string;
}

interface Adapter {
  readonly name: string;
  readonly description: string;
  readonly kind: string;
}

async function check({ out, seconds, adapter: choice }: Flags): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'tailray-check-'));
  try {
    await checkInside(work, { out: resolve(out), seconds, ...(choice !== undefined && { adapter: choice }) });
  } finally {
    rmSync(work, { recursive: true });
  }
}

async function checkInside(work: string, flags: Flags): Promise<void> {
  const date = new Date().toISOString();
  const parts: Part[] = [];
  const started = performance.now();
  const tell = (part: Part, result: string) => {
    parts.push(part);
    const why = part.reason === undefined ? '' : ` (${part.reason})`;
    print(
      `${part.name.padEnd(10)} ${part.status}${why} in ${part.seconds.toFixed(0)} s${result && `: ${result}`}`,
    );
  };
  const results = join(work, 'results');
  mkdirSync(results);
  const found = await findAdapter(work, flags);
  const adapter = found.adapter;
  const software = adapter?.kind !== 'gpu';
  tell(found.part, adapter?.description ?? 'no adapter is known');
  if (software) print('           no GPU: a small part of the work, to show that the check itself works');
  const plan = planCheck({ software, cores: availableParallelism(), seconds: flags.seconds });

  const name = runFolderName({ date, adapter: adapter?.description ?? 'no adapter' });
  const folder = join(results, name);
  mkdirSync(folder);
  for (const file of ['adapter.json', 'adapter.txt']) moveIfThere(join(work, file), join(folder, file));
  if (adapter) {
    const context: Context = { root: ROOT, work, folder, plan, choice: flags.adapter ?? adapter.kind };
    for (const [part, run] of PARTS) {
      const { result, ...done } = await run(context).catch((error: unknown) => broken(part, error));
      tell(done, result);
    }
  }
  const about = {
    date,
    tailray: tailrayVersion,
    adapter: adapter ?? null,
    software,
    machine: machine(),
    seconds: (performance.now() - started) / 1000,
    parts,
  };
  writeFileSync(join(folder, 'check.json'), `${JSON.stringify(about, null, 2)}\n`);
  const path = join(flags.out, `tailray-${name}.tar.gz`);
  mkdirSync(flags.out, { recursive: true });
  const bytes = await writeArchive(
    results,
    path,
    new Map([
      [work, 'work'],
      [ROOT.replace(/\/$/, ''), '.'],
    ]),
  );
  print(`written    ${path} (${formatByteSize(bytes)}): to be unpacked in bench/results`);
  process.exitCode = parts.every(({ status }) => status === 'done') ? 0 : 1;
}

async function findAdapter(work: string, { adapter: choice }: Flags) {
  const seconds = ADAPTER_SECONDS;
  const chosen = choice === undefined ? [] : ['--adapter', choice];
  const words = ['dist/cli/devices.js', '--measure', ...chosen];
  const options = { seconds, cwd: ROOT, log: join(work, 'adapter.txt') };
  const ending = await runNode([...words, '--json'], options);
  const adapter = adapterIn(ending.stdout);
  if (adapter) writeFileSync(join(work, 'adapter.json'), ending.stdout);
  const part: Part = { name: 'adapter', allowed: seconds, ...without(ending) };
  const nothing = ending.status === 'done' && !adapter;
  return { adapter, part: nothing ? { ...part, status: 'failed' as const } : part };
}

function adapterIn(stdout: string): Adapter | undefined {
  try {
    const { chosen, adapters } = JSON.parse(stdout) as { chosen: string | null; adapters: Adapter[] };
    const found = adapters.find(({ name }) => name === chosen);
    // the rest is in adapter.json
    return found && { name: found.name, description: found.description, kind: found.kind };
  } catch {
    return undefined;
  }
}

function broken(name: Part['name'], error: unknown): Done {
  const reason = error instanceof Error ? error.message : String(error);
  return { name, status: 'failed', seconds: 0, allowed: 0, reason, result: '' };
}

function machine() {
  const [first] = cpus();
  return {
    processor: first?.model.trim() ?? '',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${process.platform} ${release()}`,
    node: process.versions.node,
  };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

await runCommand(
  parser('gpu-check')
    .description('Measures and tests this machine, and writes one archive of results.')
    .option('--out <dir>', 'where the archive is written', '.')
    .option('--seconds <n>', 'about so long', positiveNumber, 560)
    .addOption(adapterOption())
    .action(check),
);
