/**
 * `node scripts/intervals/speed.mjs`: the time that all intervals of a large evaluation take, beside the same metrics of the
 * same draws in a loop over scikit-learn's functions. Times are processor seconds of one process, which others on the machine
 * disturb little. Needs `npm run build`; scikit-learn's side needs Debian's `python3-sklearn`.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Random } from '#src/engine/random.js';
import { measureScores } from '#src/eval/metrics/measure-scores.js';
import { count } from '#src/text/numbers.js';

const SHAPE = { n: 20_000, classes: 36, patients: 8_000 };
const RESAMPLES = 1000;
/** Draws of scikit-learn's loop, whose time is then scaled. */
const LOOP_DRAWS = 3;

/** A long tail from 40 % of the images down to 8 images, with scores that know something. */
function longTail({ n, classes, patients }) {
  const random = new Random(0, 'speed');
  const shares = Array.from({ length: classes }, (_, c) => 0.4 * (8 / n / 0.4) ** (c / (classes - 1)));
  const targets = Float32Array.from({ length: n * classes }, (_, i) =>
    Number(random.chance(shares[i % classes] ?? 0)),
  );
  const scores = targets.map((y) => 1 / (1 + Math.exp(-(random.normal() + 2 * y - 2))));
  const owners = Array.from({ length: n }, () => `patient ${random.int(patients)}`);
  const classNames = Array.from({ length: classes }, (_, c) => `class ${c}`);
  return { scores, targets, options: { n, classes, classNames, patients: owners } };
}

/** Processor seconds of draws and jackknife together. */
function ours() {
  const { scores, targets, options } = longTail(SHAPE);
  const from = process.cpuUsage();
  measureScores(scores, targets, { ...options, resamples: RESAMPLES });
  const { user, system } = process.cpuUsage(from);
  return (user + system) / 1e6;
}

/** @returns {number | null} processor seconds a draw; null where there is no scikit-learn */
function loop() {
  const script = fileURLToPath(new URL('sklearn_loop.py', import.meta.url));
  const words = [script, SHAPE.n, SHAPE.classes, SHAPE.patients, LOOP_DRAWS].map(String);
  const { status, stdout, stderr } = spawnSync('/usr/bin/python3', words, { encoding: 'utf8' });
  if (status === 0) return Number(stdout);
  process.stderr.write(`no time of scikit-learn: ${stderr}\n`);
  return null;
}

/** A paragraph in Markdown. */
export function speed() {
  const seconds = ours();
  const perDraw = loop();
  const { n, classes, patients } = SHAPE;
  const own =
    `All intervals of ${count(n)} images of ${count(patients)} patients × ${classes} classes (${count(RESAMPLES)} draws and the ` +
    `jackknife's 200; every metric of every class and average) took ${seconds.toFixed(1)} processor seconds of one thread.`;
  if (perDraw === null) return own;
  const scaled = perDraw * RESAMPLES;
  return (
    `${own} The same metrics in a loop over scikit-learn's functions take ${perDraw.toFixed(1)} processor seconds a draw ` +
    `(measured over ${LOOP_DRAWS} draws), so ${count(scaled)} s for ${count(RESAMPLES)} draws without a jackknife: ` +
    `${(scaled / seconds).toFixed(0)} times as long.`
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(`${speed()}\n`);
