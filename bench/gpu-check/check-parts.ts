import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CheckPlan, PartName, PlannedPart } from './check-plan.js';
import { parityFiles, runParity } from './parity.js';
import { type Ending, runNode } from './timed-process.js';

/** The parts of a check that need an adapter. */

export interface Part {
  readonly name: PartName;
  readonly status: Ending['status'];
  readonly seconds: number;
  readonly allowed: number;
  readonly reason?: string;
}

/** A part with a line for people. */
export type Done = Part & { readonly result: string };

export interface Context {
  /** Where tailray lies. */
  readonly root: string;
  /** For what goes away. */
  readonly work: string;
  /** For what stays. */
  readonly folder: string;
  readonly plan: CheckPlan;
  /** Which adapter, as the commands take it. */
  readonly choice: string;
}

export const PARTS: readonly (readonly [PlannedPart, (context: Context) => Promise<Done>])[] = [
  ['parity', parity],
  ['benchmark', benchmark],
  ['tuner', tuner],
];

async function parity({ root, folder, plan, choice }: Context): Promise<Done> {
  const allowed = plan.seconds.parity;
  const runner = 'test/run-test-file.mjs';
  if (!existsSync(join(root, runner))) {
    const reason = 'the tests are part of the bundle only; in a clone, npm test runs them';
    return { name: 'parity', status: 'failed', seconds: 0, allowed, reason, result: '' };
  }
  const start = performance.now();
  process.env.TAILRAY_ADAPTER = choice;
  const report = await runParity({
    root: root,
    runner: ['--import', './node_modules/jiti/lib/jiti-register.mjs', runner],
    files: parityFiles(root).filter(
      (path) => plan.tests.length === 0 || plan.tests.some((part) => path.includes(part)),
    ),
    seconds: allowed,
    side: plan.side,
    log: join(folder, 'parity.txt'),
  });
  writeFileSync(join(folder, 'parity.json'), `${JSON.stringify(report, null, 2)}\n`);
  const failed = report.files.reduce((sum, file) => sum + file.failed.length, 0);
  const broken = report.files.filter(({ status }) => status === 'failed').length;
  const late = report.notRun.length + report.files.filter(({ status }) => status === 'out of time').length;
  const result = `${report.passed} tests passed, ${failed} failed, ${report.skipped} skipped; of files, ${broken} broke, ${late} had no time`;
  const status = failed + broken > 0 ? 'failed' : late > 0 ? 'out of time' : 'done';
  return { name: 'parity', status, seconds: (performance.now() - start) / 1000, allowed, result };
}

async function benchmark(context: Context): Promise<Done> {
  const { plan, folder } = context;
  return measured(
    'benchmark',
    context,
    plan.works,
    ['--no-tune', '--against', plan.against.join(',')],
    folder,
  );
}

async function tuner(context: Context): Promise<Done> {
  const { plan, folder } = context;
  const own = ['--tune', '--against', 'f16'];
  const done = await measured('tuner', context, plan.tuned, own, `${folder}-tuned`);
  // what was measured and chosen, problem by problem
  const chosen = join(context.work, 'cache/tuned');
  if (existsSync(chosen)) cpSync(chosen, join(`${folder}-tuned`, 'kernels'), { recursive: true });
  return done;
}

/** A run of the benchmark, in an order of its own, kept in `target`. */
async function measured(
  name: PlannedPart,
  { root, work, plan, choice }: Context,
  works: readonly string[],
  words: readonly string[],
  target: string,
): Promise<Done> {
  const allowed = plan.seconds[name];
  const kept = join(work, name);
  mkdirSync(target, { recursive: true });
  const ending = await runNode(
    [
      'dist/cli/bench.js',
      ...['--adapter', choice, '--rounds', String(plan.rounds), '--out', kept],
      // what has begun by then may take as long again
      ...['--within', String(Math.max(1, Math.floor(allowed * 0.7)))],
      ...['--work', works.join(',')],
      ...words,
    ],
    {
      seconds: allowed,
      cwd: root,
      log: join(target, `${name}.txt`),
      environment: { TAILRAY_CACHE: join(work, 'cache') },
    },
  );
  const [run] = existsSync(kept) ? readdirSync(kept) : [];
  for (const file of run === undefined ? [] : ['results.jsonl', 'speedup.svg']) {
    moveIfThere(join(kept, run ?? '', file), join(target, file));
  }
  return {
    name,
    allowed,
    ...without(ending),
    result: run === undefined ? 'nothing was measured' : 'measurements kept',
  };
}

export function without({ stdout: _stdout, ...ending }: Ending): Omit<Ending, 'stdout'> {
  return ending;
}

export function moveIfThere(from: string, to: string): boolean {
  if (!existsSync(from)) return false;
  renameSync(from, to);
  return true;
}
