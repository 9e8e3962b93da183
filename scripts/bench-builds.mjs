// @ts-check
/**
 * Which rows of the benchmark a change made faster or slower:
 *
 *     node scripts/bench-builds.mjs OTHER [--adapter NAME] [--work NAMES] [--rounds N]
 *
 * OTHER is another clone, built, of another state of the code. Both builds open a device in this process and take turns, round
 * by round, so that both meet the same machine: what was measured on another day says nothing on a machine that is shared.
 * The ratio is how many times as long the other build takes, its median over the rounds with the middle half of them.
 */
import { Console } from 'node:console';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    adapter: { type: 'string' },
    work: { type: 'string', default: '' },
    rounds: { type: 'string', default: '15' },
  },
});
const [other] = positionals;
const rounds = Number(values.rounds);
if (other === undefined || !(rounds >= 1)) {
  console.error('usage: node scripts/bench-builds.mjs OTHER [--adapter NAME] [--work NAMES] [--rounds N]');
  process.exit(2);
}

// some libraries say what they are doing by console.log
const say = /** @param {string} line */ (line) => void process.stdout.write(`${line}\n`);
globalThis.console = new Console(process.stderr);

const { repeatsFor } = await moduleOf('.', 'bench/rounds.js');
const { spread } = await moduleOf('.', 'bench/statistics.js');
const { fullName: nameOf } = await moduleOf('.', 'bench/selection.js');
const mine = await openBuild('.');
const theirs = await openBuild(other);
const wanted = values.work.split(',').filter((name) => name !== '');
say(`${'work'.padEnd(45)}${'other ms'.padStart(9)}${'ms'.padStart(9)}   other / this (middle half)`);
for (const workload of mine.workloads) {
  const name = nameOf(workload);
  const before = theirs.workloads.find((candidate) => nameOf(candidate) === name);
  if (!before || workload.onlyOnGpu === 'everybody') continue;
  if (wanted.length > 0 && !wanted.some((part) => name.includes(part))) continue;
  const sides = [await enter(before, theirs.host), await enter(workload, mine.host)];
  for (let round = 0; round < rounds; round++) {
    // whoever comes second finds the machine as the first has left it
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) await timeRound(side);
  }
  const [old = [], now = []] = sides.map(({ times }) => times);
  const ratios = old.map((ms, i) => ms / (now[i] ?? Number.NaN)).sort((a, b) => a - b);
  const at = /** @param {number} share */ (share) =>
    (ratios[Math.floor(share * (rounds - 1))] ?? 0).toFixed(2);
  say(
    `${name.padEnd(45)}${median(old).padStart(9)}${median(now).padStart(9)}   ${at(0.5)} (${at(0.25)}–${at(0.75)})`,
  );
  for (const { entrant } of sides) await entrant.dispose();
}
process.exit(0);

/** @param {string} clone @param {string} file below `dist` */
async function moduleOf(clone, file) {
  return import(pathToFileURL(resolve(clone, 'dist', file)).href);
}

/** @param {string} clone */
async function openBuild(clone) {
  const { WORKLOADS } = await moduleOf(clone, 'bench/workloads/all.js');
  const { openDevice } = await import(pathToFileURL(resolve(clone, 'dist/index.js')).href);
  const device = await openDevice({ adapter: values.adapter });
  return { host: { version: '', device }, workloads: /** @type {any[]} */ (WORKLOADS) };
}

/** @param {any} workload @param {any} host */
async function enter(workload, host) {
  const entrant = await workload.entries.tailray(host);
  await entrant.round(1);
  const start = performance.now();
  await entrant.round(1);
  return { entrant, repeats: repeatsFor(performance.now() - start), times: /** @type {number[]} */ ([]) };
}

/** @param {Awaited<ReturnType<typeof enter>>} side */
async function timeRound({ entrant, repeats, times }) {
  const start = performance.now();
  await entrant.round(repeats);
  const ms = entrant.counted ? entrant.counted() : performance.now() - start;
  times.push(ms / repeats);
}

/** @param {number[]} times */
function median(times) {
  return spread(times).median.toPrecision(3);
}
