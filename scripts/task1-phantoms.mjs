/**
 * `node scripts/task1-phantoms.mjs FOLDER`: the Task 1 system in small, from a folder of phantoms in the challenge's layout to a
 * checked submission, written to docs/task1-phantoms.md. One run goes through, a second one is killed at random moments; both
 * must end with the same bytes. Needs `npm run build`; about half an hour on two CPU cores. Runs that are there already are not
 * trained again.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Random } from '#src/engine/random.js';
import { writePhantomDataset } from '#src/phantom/dataset.js';
import { count, decimals, signed } from '#src/text/numbers.js';

const RECIPE = 'recipes/cxrlt2026-task1-small.yaml';
const PHANTOMS = {
  count: 2000,
  size: 96,
  seed: 5,
  imbalance: 100,
  minPositives: 6,
  laterals: 0.3,
  testFraction: 0.3,
};
const KILLS = 20;
/** The other network of the ensemble: another architecture at another size. */
const OTHER = ['model.arch=resnet10', 'model.stem=small-stride2', 'preprocessing.size=[48,48]', 'seed=1'];

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('name a folder for data and runs.');
mkdirSync(folder, { recursive: true });

const data = join(folder, 'data');
const flaws = await drawData();
const { run: whole, seconds } = train('whole', []);
const { run: raw } = train('raw', ['validation.ema=false']);
const { run: other } = train('other', OTHER);
const drill = await killed();
const steps = ladder();
const submission = submit();
writeFileSync('docs/task1-phantoms.md', page());
process.stdout.write('written    docs/task1-phantoms.md\n');

/** Phantoms with the flaws of the challenge's files: mangled identifiers, broken and missing images. */
async function drawData() {
  const broken = [];
  const note = join(folder, 'flaws.json');
  if (existsSync(note)) return JSON.parse(readFileSync(note, 'utf8'));
  await writePhantomDataset({ ...PHANTOMS, out: data, force: true });
  let mangled = 0;
  for (const table of ['train.csv', 'test.csv', 'evaluation.csv']) {
    const [header, ...rows] = readFileSync(join(data, table), 'utf8').trimEnd().split('\n');
    const changed = rows.map((row) => {
      const [image, date, patient, ...labels] = row.split(',');
      if (Number(patient.slice(-2)) >= 10) return row;
      if (table !== 'evaluation.csv') mangled++;
      return [image, date, Number(patient).toExponential(2).toUpperCase(), ...labels].join(',');
    });
    writeFileSync(join(data, table), `${[header, ...changed].join('\n')}\n`);
    if (table === 'evaluation.csv') continue;
    const image = (i) => join(data, 'images', rows[i].split(',')[0]);
    truncateSync(image(3), 900);
    writeFileSync(image(4), 'this is a text');
    writeFileSync(image(5), '');
    rmSync(image(6));
    broken.push(4);
  }
  const found = { mangled, broken: broken.reduce((a, b) => a + b, 0) };
  writeFileSync(note, JSON.stringify(found));
  return found;
}

function words(name, changes, more = []) {
  const set = changes.flatMap((change) => ['--set', change]);
  return [
    'dist/cli/train.js',
    '--recipe',
    RECIPE,
    '--data',
    data,
    ...set,
    '--out',
    join(folder, name),
    ...more,
    '--quiet',
  ];
}

function train(name, changes) {
  const run = join(folder, name);
  const timed = join(folder, `${name}.seconds`);
  if (!existsSync(join(run, 'summary.json'))) {
    const began = performance.now();
    execFileSync(process.execPath, words(name, changes, ['--force']), {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    writeFileSync(timed, String((performance.now() - began) / 1000));
  }
  return { run, seconds: Number(readFileSync(timed, 'utf8')) };
}

/**
 * Runs that are killed again and again, until there were enough kills; each must end as the unbroken one. A kill before the run's
 * directory is there does not count.
 */
async function killed() {
  const random = new Random(Date.now(), 'kills');
  const stages = new Set();
  let [kills, runs] = [0, 0];
  while (kills < KILLS) {
    const run = join(folder, `killed-${++runs}`);
    rmSync(run, { recursive: true, force: true });
    for (let ended = false; !ended; ) {
      const begun = existsSync(join(run, 'recipe.yaml'));
      const child = spawn(process.execPath, words(`killed-${runs}`, [], [begun ? '--resume' : '--force']), {
        stdio: 'ignore',
      });
      const exit = new Promise((resolve) => child.once('exit', resolve));
      const life =
        kills < KILLS
          ? pause(1000 * random.uniform(1, seconds / 4), undefined, { ref: false })
          : new Promise(() => {});
      const code = await Promise.race([exit, life]);
      ended = code !== undefined;
      if (ended && code !== 0) throw new Error(`${run} ended with code ${code}`);
      if (!ended) {
        child.kill('SIGKILL');
        await exit;
        if (begun) kills++;
      }
      const state = join(run, 'last', 'state.json');
      if (existsSync(state)) stages.add(JSON.parse(readFileSync(state, 'utf8')).content.progress.stage);
    }
    compareBytes(whole, run);
  }
  return { kills, runs, stages: [...stages].sort() };
}

/** @throws where a file of the run differs, seconds and paths left out */
function compareBytes(expected, found) {
  const [a, b] = [contents(expected), contents(found)];
  if (a.size < 5) throw new Error(`${expected} has only ${a.size} files`);
  for (const name of new Set([...a.keys(), ...b.keys()])) {
    if (a.get(name) !== b.get(name)) throw new Error(`${found}: ${name} differs from that of ${expected}`);
  }
}

/** Digests of the files of a run. */
function contents(run) {
  const files = readdirSync(run, { recursive: true }).filter((name) =>
    /\.(safetensors|csv|jsonl|json)$/.test(name),
  );
  return new Map(
    files.map((name) => {
      const bytes = readFileSync(join(run, name));
      const timeless = /\.(jsonl|json)$/.test(name)
        ? bytes.toString().replace(/"(seconds|dataWaitSeconds)": ?[\d.e+-]+/g, '')
        : bytes;
      return [name, createHash('sha256').update(timeless).digest('hex')];
    }),
  );
}

function ladder() {
  const out = join(folder, 'ladder.json');
  run('ladder', [
    ...[join(whole, 'best.safetensors'), join(other, 'best.safetensors')],
    ...['--raw', join(raw, 'best.safetensors'), '--data', join(data, 'test.csv'), '--part', 'all'],
    ...['--tta', 'flip-scale', '--normal-gate', '0.5', '--json', out],
  ]);
  return JSON.parse(readFileSync(out, 'utf8'));
}

function submit() {
  const file = join(folder, 'task1.csv');
  const table = join(data, 'evaluation.csv');
  const said = run('predict', [
    ...[join(whole, 'best.safetensors'), join(other, 'best.safetensors'), table],
    ...['--tta', 'flip-scale', '--normal-gate', '0.5', '--out', join(folder, 'scores.csv')],
    ...['--submission', file, '--force'],
  ]);
  const checked = run('submission', ['check', file, '--table', table, '--task', '1']);
  return { said: said.trim().split('\n').at(-1), checked: checked.trim() };
}

function run(command, options) {
  return execFileSync(process.execPath, [`dist/cli/${command}.js`, ...options], { encoding: 'utf8' });
}

function page() {
  const rows = steps.rows.map(({ name, scores, gains }) => {
    const gain = (metric) =>
      gains === null
        ? ''
        : `${signed(gains[metric].estimate, 4)} [${signed(gains[metric].low, 4)}, ${signed(gains[metric].high, 4)}]`;
    return `| ${name} | ${decimals(scores.mAP, 4)} | ${gain('mAP')} | ${decimals(scores.auroc, 4)} | ${gain('auroc')} |`;
  });
  const anonymous = (text) => text.replaceAll(`${folder}/`, '');
  return `# The Task 1 system in small, on phantoms

Written by \`node scripts/task1-phantoms.mjs\`; the recipe is \`${RECIPE}\`, the small twin of \`recipes/cxrlt2026-task1.yaml\`.
Phantoms are pictures drawn by a program. These numbers say that the parts work together, and nothing about patients.

- **Data**: ${count(PHANTOMS.count)} phantoms in the challenge's layout: 30 classes with a tail of ${PHANTOMS.imbalance}:1, 16-bit PNG, ${100 * PHANTOMS.laterals} % laterals;
  ${flaws.mangled} rows with a patient's identifier as a spreadsheet mangles it, ${flaws.broken} images that are broken or missing.
- **Kills**: the run was killed (\`kill -9\`) ${drill.kills} times at random moments, over ${drill.runs} run${drill.runs === 1 ? '' : 's'}, with saves seen in stages
  ${drill.stages.join(', ')}. Each run ended with the bytes of the unbroken one: checkpoint, saved state, scores, summary, and every line of the
  log but for its seconds.
- **Submission**: ${anonymous(submission.said)} \`submission check\`: ${anonymous(submission.checked)}

## What each step gains

Macro means over the ${steps.images} readable held-out images, each step beside the one before, with 95 % intervals over patients (\`npx tailray
ladder\`). The ensemble's second network is a ResNet at 48 pixels.

| step | mAP | gain | AUROC | gain |
|---|---|---|---|---|
${rows.join('\n')}
`;
}
