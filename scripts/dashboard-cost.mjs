/**
 * `node scripts/dashboard-cost.mjs [pairs]`: how much longer a run takes that three browsers follow. Pairs of runs, one with
 * the live page and three readers of its stream (in a process of their own), one without, in turns that change from pair to
 * pair. Needs `npm run build`.
 */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Dashboard } from '#src/dashboard/dashboard.js';
import { openDevice } from '#src/platform/node/open-device.js';
import { cacheFolder } from '#src/storage/cache-folder.js';
import { decimals, signed } from '#src/text/numbers.js';
import { prepareRun } from '#src/train/run/prepare-run.js';
import { planRun } from '#src/train/run/run-plan.js';
import { ExaminedSets } from '#src/train/run/stage-data.js';
import { trainRun } from '#src/train/run/train-run.js';

const READERS = 3;
const READ = 'read';
/** Each step is logged, so that the page has as much to draw as it ever has. */
const SETTINGS = ['data.phantoms.images=400', 'schedule.epochs=3', 'logEvery=1'];

if (process.argv[2] === READ) read();
else await measure(Number(process.argv[2] ?? 20));

/** @param {number} pairs */
async function measure(pairs) {
  const folder = mkdtempSync(join(tmpdir(), 'tailray-cost-'));
  const device = await openDevice();
  const readers = fork(fileURLToPath(import.meta.url), [READ]);
  const said = answersOf(readers);
  const sets = new ExaminedSets();
  try {
    const runOnce = (watched) => run({ folder, device, readers, said, sets, watched });
    // the first compiles kernels and fills caches
    await runOnce(true);
    await runOnce(false);
    const differences = { wall: [], processor: [] };
    for (let pair = 0; pair < pairs; pair++) {
      const results = {};
      for (const watched of pair % 2 === 0 ? [true, false] : [false, true]) {
        results[watched ? 'with' : 'without'] = await runOnce(watched);
      }
      const { with: watched, without } = results;
      for (const kind of ['wall', 'processor']) {
        differences[kind].push(100 * (watched[kind] / without[kind] - 1));
      }
      console.log(
        `pair ${pair + 1}: ${describe(watched)} with, ${describe(without)} without; ${watched.events} events, ${watched.kilobytes} kB`,
      );
    }
    console.log(`\n${device.description}, ${cpus().length} cores, ${pairs} pairs, ${READERS} readers`);
    for (const [kind, values] of Object.entries(differences)) {
      const { median, low, high } = medianInterval(values);
      console.log(
        `${kind} time: ${signed(median, 2)} % [${signed(low, 2)}, ${signed(high, 2)}] with the page open (median paired difference, 95 % interval)`,
      );
    }
  } finally {
    readers.kill();
    device.close();
    rmSync(folder, { recursive: true });
  }
}

/**
 * The median with its interval by order statistics, which asks nothing of the distribution: on a machine with other work
 * a single run may take three times as long.
 * @param {number[]} values
 */
function medianInterval(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  const at = (place) => sorted[place] ?? Number.NaN;
  // ranks that lie below the median by chance with less than 2.5 %
  let [ranks, term, sum] = [0, 0.5 ** n, 0];
  while (sum + term <= 0.025) {
    sum += term;
    term *= (n - ranks) / (ranks + 1);
    ranks++;
  }
  return { median: (at((n - 1) >> 1) + at(n >> 1)) / 2, low: at(ranks - 1), high: at(n - ranks) };
}

function describe({ wall, processor }) {
  return `${decimals(wall / 1000, 3)} s, ${decimals(processor / 1000, 3)} s of processors`;
}

/** A run from its first step to its last validation: milliseconds on the clock, and of this process on all processors. */
async function run({ folder, device, readers, said, sets, watched }) {
  const plan = await planRun({
    recipe: 'recipes/quick.yaml',
    set: SETTINGS,
    out: join(folder, 'run'),
    force: true,
  });
  const prepared = await prepareRun(plan, { cache: cacheFolder(), sets });
  const dashboard = watched
    ? await Dashboard.open({ ...plan, port: 0, stop: () => {}, say: () => {} })
    : undefined;
  for (let i = 0; dashboard && i < READERS; i++) {
    readers.send(dashboard.address);
    await said();
  }
  let began = { wall: 0, processor: 0 };
  let took = began;
  const clock = (event) => {
    if (event.kind === 'ready') began = now();
    if (event.kind !== 'epoch') return;
    const { wall, processor } = now();
    took = { wall: wall - began.wall, processor: processor - began.processor };
  };
  await trainRun(prepared, {
    device,
    requests: dashboard?.requests,
    listeners: [...(dashboard ? [(event) => dashboard.hear(event)] : []), clock],
  });
  await dashboard?.end('finished', 'Finished.');
  const heard = [];
  for (let i = 0; dashboard && i < READERS; i++) heard.push(await said());
  const total = (key) => heard.reduce((sum, each) => sum + each[key], 0);
  return { ...took, events: total('events'), kilobytes: Math.round(total('bytes') / 1000) };
}

function now() {
  const { user, system } = process.cpuUsage();
  return { wall: performance.now(), processor: (user + system) / 1000 };
}

/** The answers of the process that reads, one after the other. */
function answersOf(child) {
  const waiting = [];
  const ready = [];
  child.on('message', (message) => {
    const next = waiting.shift();
    if (next) next(message);
    else ready.push(message);
  });
  return () =>
    ready.length > 0 ? Promise.resolve(ready.shift()) : new Promise((done) => waiting.push(done));
}

/** The other process: follows each run whose address it is given, as a browser's page does, and counts. */
function read() {
  process.on('message', (address) => {
    get(address, { agent: false }, (answer) => {
      const cookie = answer.headers['set-cookie'][0].split(';')[0];
      answer.resume();
      const page = new URL(`${answer.headers.location}events`, address);
      get(page, { agent: false, headers: { cookie } }, (stream) => {
        let [events, bytes, text] = [0, 0, ''];
        process.send('open');
        stream.setEncoding('utf8');
        stream.on('data', (chunk) => {
          bytes += chunk.length;
          const blocks = (text + chunk).split('\n\n');
          text = blocks.pop();
          for (const block of blocks) {
            const [, data] = /^data: (.*)$/m.exec(block) ?? [];
            if (data !== undefined) events += JSON.parse(data).name ? 1 : 0;
          }
        });
        stream.on('error', () => {});
        stream.on('close', () => process.send({ events, bytes }));
      });
    });
  });
}
