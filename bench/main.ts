import { Console } from 'node:console';
import { Writable } from 'node:stream';
import type { BenchFlags } from '#src/cli/bench-flags.js';
import { kernelTuning } from '#src/cli/kernel-options.js';
import { openDevice } from '#src/engine/adapters/open-device.js';
import { measureRoofline } from '#src/engine/roofline.js';
import { tailrayVersion } from '#src/train/version.js';
import { type Comparison, compare } from './compare.js';
import { shareAdapter } from './contenders/shared-adapter.js';
import { type Measurement, measurementOf } from './measurement.js';
import { openHosts } from './open-hosts.js';
import { saveRun, versionsOf } from './saved-run.js';
import { fullName, selectPeers, selectWorkloads } from './selection.js';
import { peerColumns, rooflineLines, tableFoot, tableHead, tableLine } from './table.js';
import type { Who } from './workload.js';
import { SCALING, WORKLOADS } from './workloads/all.js';

/** The benchmark's command, `src/cli/bench.ts` being its door. */
export async function runBench(flags: BenchFlags): Promise<void> {
  const wanted = selectPeers(flags.against);
  const selected = selectWorkloads(flags.scaling ? SCALING : WORKLOADS, flags.work);
  if (flags.list) {
    for (const workload of selected) print(`${fullName(workload).padEnd(42)} ${workload.shape}`);
    return;
  }
  // benny and tfjs say what they are doing by console.log: only what they warn of is passed on
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  globalThis.console = new Console(nowhere, process.stderr);
  const { description } = await shareAdapter(flags.adapter);
  const device = await openDevice({ adapter: flags.adapter });
  const say = flags.json ? () => undefined : print;
  try {
    const workloads = selected.filter(({ onlyOnGpu }) => !onlyOnGpu || device.traits.kind === 'gpu');
    const tailray = {
      version: tailrayVersion,
      device,
      tuning: kernelTuning(device, { ...flags, quiet: true }),
    };
    const roofline = await measureRoofline(device);
    const surroundings = { roofline, adapter: description };
    say(rooflineLines(roofline, description));
    const { hosts, missing } = await openHosts(tailray, wanted);
    const peers = peerColumns(new Set(Object.keys(hosts) as Who[]));
    say(`\n${tableHead(peers)}`);
    const notes = [...missing];
    const comparisons: Comparison[] = [];
    const measurements: Measurement[] = [];
    for (const workload of workloads) {
      const comparison = await compare(workload, hosts, flags.rounds);
      comparisons.push(comparison);
      for (const timing of comparison.timings) {
        const measurement = measurementOf(workload, comparison.costs, timing, surroundings);
        measurements.push(measurement);
        if (flags.json) print(JSON.stringify(measurement));
      }
      for (const { who, reason } of comparison.failures) {
        notes.push(`${who} failed at ${fullName(workload)}: ${reason}`);
      }
      say(tableLine(comparison, peers, surroundings));
    }
    if (selected.length > workloads.length) notes.push(skippedWithoutGpu(selected.length - workloads.length));
    if (flags.save !== undefined) {
      const { probes: _probes, clock: _clock, ...rates } = roofline;
      const header = {
        date: new Date().toISOString(),
        adapter: description,
        arguments: process.argv.slice(2),
        versions: versionsOf(hosts),
        roofline: rates,
      };
      const what = flags.scaling ? 'scaling' : 'speed';
      notes.push(`Kept in ${saveRun(flags.save, what, header, measurements, comparisons)}`);
    }
    if (flags.json) for (const note of notes) process.stderr.write(`${note}\n`);
    say(tableFoot(notes));
    hosts['pytorch-cpu']?.process.end();
  } finally {
    device.close();
  }
}

function skippedWithoutGpu(count: number): string {
  return `${count} workload${count === 1 ? ' is' : 's are'} left out: on a software adapter a step would take minutes.`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
