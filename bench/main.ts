import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { BenchFlags } from '#src/cli/options/bench-flags.js';
import { kernelTuning } from '#src/cli/options/kernel-options.js';
import { measureRoofline, type Roofline } from '#src/engine/roofline.js';
import { openDevice } from '#src/platform/node/open-device.js';
import { tailrayVersion } from '#src/storage/version.js';
import { counted } from '#src/text/numbers.js';
import { padCell } from '#src/text/padded-table.js';
import { DisagreementError } from './agreement.js';
import { type Comparison, compare, type OpenHosts } from './compare.js';
import { shareAdapter } from './contenders/shared-adapter.js';
import type { TailrayHost } from './contenders/tailray.js';
import { type Measurement, measurementOf } from './measurement.js';
import { openHosts } from './open-hosts.js';
import { writePages } from './pages/write-pages.js';
import { type RunHeader, saveRun, versionsOf } from './saved-run.js';
import { fullName, selectPeers, selectWorkloads } from './selection.js';
import { peerColumns, rooflineLines, rooflineNote, tableFoot, tableHead, tableLine } from './table.js';
import type { Peer, Who, Workload } from './workload.js';
import { SCALING, WORKLOADS } from './workloads/all.js';

/** The benchmark's command, `src/cli/bench.ts` being its door. */
export async function runBench(flags: BenchFlags): Promise<void> {
  if (flags.table) {
    const changed = writePages(fileURLToPath(new URL('..', import.meta.resolve('#bench/package.json'))));
    print(changed.length > 0 ? `written    ${changed.join(', ')}` : 'The pages show what is kept already.');
    return;
  }
  const wanted = selectPeers(flags.against);
  const selected = selectWorkloads(flags.scaling ? SCALING : WORKLOADS, flags.work);
  if (flags.list) {
    for (const workload of selected) {
      print(`${padCell(fullName(workload), 42)} ${workload.shape}`);
      if (workload.settings !== undefined) print(`  ${workload.settings}`);
    }
    return;
  }
  muteLibraries();
  const { description: adapter } = await shareAdapter(flags.adapter);
  const device = await openDevice({ adapter: flags.adapter });
  try {
    const tuning = kernelTuning(device, { ...flags, quiet: true });
    const workloads = selected.filter(
      ({ onlyOnGpu }) => onlyOnGpu !== 'everybody' || device.traits.kind === 'gpu',
    );
    await measure(workloads, { version: tailrayVersion, device, tuning }, { flags, wanted, adapter });
    const leftOut = selected.length - workloads.length;
    if (leftOut > 0) remark(flags, `${counted(leftOut, 'workload')} left out: for a GPU only.`);
  } finally {
    device.close();
  }
}

interface Request {
  readonly flags: BenchFlags;
  readonly wanted: readonly Peer[];
  readonly adapter: string;
}

/**
 * Prints each workload as soon as it is measured, and keeps all of them where that was asked for.
 *
 * @throws DisagreementError in the end, if a library gave other results than tailray
 */
async function measure(
  workloads: readonly Workload[],
  tailray: TailrayHost,
  { flags, wanted, adapter }: Request,
): Promise<void> {
  const say = flags.json ? () => undefined : print;
  const roofline = await measureRoofline(tailray.device);
  say(rooflineLines(roofline, adapter));
  const { hosts, missing } = await openHosts(tailray, wanted);
  const peers = peerColumns(new Set(Object.keys(hosts) as Who[]), workloads);
  const notes = [...missing];
  const comparisons: Comparison[] = [];
  const measurements: Measurement[] = [];
  const end = performance.now() + 1000 * (flags.within ?? Number.POSITIVE_INFINITY);
  const header = runHeader(hosts, roofline, adapter);
  let kept: string | undefined;
  say(`\n${tableHead(peers)}`);
  for (const workload of workloads) {
    if (performance.now() > end) {
      notes.push(`No time was left for ${fullName(workload)}.`);
      continue;
    }
    const comparison = await compare(workload, hosts, flags.rounds);
    comparisons.push(comparison);
    for (const timing of comparison.timings) {
      const measurement = measurementOf(workload, comparison.costs, timing, { roofline, adapter });
      measurements.push(measurement);
      if (flags.json) print(JSON.stringify(measurement));
    }
    for (const { who, reason, disagrees } of comparison.failures) {
      notes.push(disagrees ? reason : `${who} failed at ${fullName(workload)}: ${reason}`);
    }
    say(tableLine(comparison, peers, { roofline, adapter }));
    // each time, so that what was measured stays when the rest cannot be
    if (flags.out !== undefined) {
      kept = saveRun(flags.out, flags.scaling ? 'scaling' : 'speed', header, measurements, comparisons);
    }
  }
  hosts['pytorch-cpu']?.process.end();
  hosts['pytorch-cuda']?.process.end();
  notes.push(rooflineNote(await measureRoofline(tailray.device)));
  if (kept !== undefined) notes.push(`Kept in ${kept}`);
  say(tableFoot(workloads));
  for (const note of notes) remark(flags, note);
  const disagreeing = comparisons.flatMap(({ failures }) => failures).filter(({ disagrees }) => disagrees);
  if (disagreeing.length > 0) {
    throw new DisagreementError(
      `${counted(disagreeing.length, 'result')} of other libraries differ from tailray's.`,
    );
  }
}

function runHeader(hosts: OpenHosts, roofline: Roofline, adapter: string): RunHeader {
  const { probes: _probes, clock: _clock, ...rates } = roofline;
  return {
    date: new Date().toISOString(),
    adapter,
    arguments: process.argv.slice(2),
    versions: versionsOf(hosts),
    roofline: rates,
  };
}

/** benny and tfjs say what they are doing by console.log: only what they warn of is passed on. */
function muteLibraries(): void {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  globalThis.console = new Console(nowhere, process.stderr);
}

/** Below the table, or beside the JSON. */
function remark({ json }: BenchFlags, text: string): void {
  (json ? process.stderr : process.stdout).write(`${text}\n`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
