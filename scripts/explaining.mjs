/**
 * `node scripts/explaining.mjs FOLDER`: how well Grad-CAM's maps hit the findings that phantoms were drawn with, by a model that
 * learned them. Writes the table and the picture of docs/explaining.md. Needs `npm run build`; a quarter of an hour on two CPU
 * cores. What is in FOLDER already is not made again.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { encodeGreyPng, encodeRgbPng } from '#src/data/images/encode-png.js';
import { csvText } from '#src/data/tables/csv-text.js';
import { readTable } from '#src/data/tables/table.js';
import { Random } from '#src/engine/random.js';
import { explainImages } from '#src/explain/explain-images.js';
import { drawOverlay } from '#src/explain/pictures/overlay.js';
import { readShownPicture } from '#src/explain/pictures/shown-picture.js';
import { maskFolder } from '#src/explain/pointing/mask.js';
import { measurePointing, pointAt } from '#src/explain/pointing/pointing.js';
import { drawPhantomWithMasks } from '#src/phantom/draw.js';
import { openDevice } from '#src/platform/node/open-device.js';
import { decimals, percent, ratio } from '#src/text/numbers.js';
import { readCheckpoint } from '#src/weights/checkpoint.js';

const RECIPE = 'recipes/focal-phantoms.yaml';
const PAGE = 'docs/explaining.md';
const PICTURE = 'docs/explaining.png';
/** Of which drawing alone tells, but for the last two, which push the heart aside where they are large. */
const FOCAL = [
  'Mass',
  'Nodule',
  'alveolar pattern',
  'calcified densities',
  'pneumoperitoneo',
  'Adenopathy',
  'pleural effusion',
  'Pneumothorax',
];
const IMAGES = { train: 1600, test: 300 };
const SHARE = 0.15;
const SIZE = 96;
const SEED = 20261129;
/** From this AUROC on a finding counts as learned. */
const LEARNED = 0.9;
/** Findings of the picture, from the left. */
const SHOWN = ['Mass', 'alveolar pattern', 'Adenopathy', 'pleural effusion'];

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('name a folder for data and runs.');
mkdirSync(folder, { recursive: true });
const data = join(folder, 'data');
const run = join(folder, 'run');

if (!existsSync(join(data, 'test.csv'))) drawData();
tailray(join(run, 'summary.json'), 'train', ['--recipe', RECIPE, '--data', data, '--out', run]);
const evaluation = join(folder, 'evaluation.json');
tailray(evaluation, 'evaluate', [run, '--part', 'test', '--resamples', '200', '--json', evaluation]);

const checkpoint = await readCheckpoint(join(run, 'best.safetensors'));
const { classes, preprocessing } = checkpoint;
const masks = await maskFolder(join(data, 'masks'));
const imageRoot = join(data, 'images');
const table = await readTable(join(data, 'test.csv'), { classes });
const rows = [];
for (const [i, { image, patient }] of table.rows.entries()) {
  for (const [column, name] of classes.entries()) {
    if (table.labels[i * classes.length + column] !== 1) continue;
    if ((await masks(image, name)) !== null) rows.push({ image, column, patient });
  }
}
const device = await openDevice();
const options = { checkpoint, path: run, imageRoot, rows, batchSize: 32 };
const explained = await explainImages(device, options);
device.close();
const pointing = await measurePointing(explained, masks, {
  classes,
  patients: rows.map(({ patient }) => patient),
});
const aurocOf = new Map(
  JSON.parse(readFileSync(evaluation, 'utf8')).perClass.map(({ name, auroc }) => [name, auroc]),
);
writePage();
await writePicture();

/**
 * Phantoms with any of the findings, each by itself as likely as the others, so that none tells of another: pictures, masks, and a
 * table of each part.
 */
function drawData() {
  const parts = { train: [], test: [] };
  for (let i = 0; i < IMAGES.train + IMAGES.test; i++) {
    const random = new Random(SEED, 'explaining', i);
    const findings = FOCAL.filter(() => random.chance(SHARE));
    const image = `${String(i).padStart(5, '0')}.png`;
    const { pixels, masks } = drawPhantomWithMasks({ seed: random.uint32(), size: SIZE, findings });
    save(join(data, 'images', image), encodeGreyPng(pixels, SIZE, SIZE));
    for (const [finding, inside] of masks) {
      const black = inside.map((value) => 255 * value);
      save(join(data, 'masks', finding, image), encodeGreyPng(black, SIZE, SIZE));
    }
    const labels = FOCAL.map((name) => String(Number(findings.includes(name))));
    parts[i < IMAGES.train ? 'train' : 'test'].push([image, `p${i}`, ...labels]);
  }
  for (const [part, rows] of Object.entries(parts)) {
    save(join(data, `${part}.csv`), csvText([['ImageID', 'PatientID', ...FOCAL], ...rows]));
  }
}

function save(path, content) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** Runs a command unless its result is there. */
function tailray(result, command, words) {
  if (existsSync(result)) return;
  process.stdout.write(`━━ ${command}\n`);
  execFileSync(process.execPath, [`dist/cli/${command}.js`, ...words], { stdio: 'inherit' });
}

function writePage() {
  const learned = pointing.filter(({ finding }) => aurocOf.get(finding) >= LEARNED);
  const rest = pointing.filter((row) => !learned.includes(row));
  const line = ({ finding, images, area, hits, energy, ratio: times }) => {
    const interval = ({ estimate, low, high }, write) =>
      Number.isNaN(low) ? write(estimate) : `${write(estimate)} [${write(low)}, ${write(high)}]`;
    const share = (value) => percent(value, 1);
    const cells = [
      ...[finding, decimals(aurocOf.get(finding), 3), images, share(area)],
      ...[interval(hits, share), interval(energy, share), `${interval(times, ratio)}`],
    ];
    return `| ${cells.join(' | ')} |`;
  };
  const header = [
    '| finding | AUROC | images | mask | hits | energy | energy / mask |',
    '|---|---|---|---|---|---|---|',
  ];
  const enough = learned.filter(({ ratio: { estimate } }) => estimate >= 3).length;
  const byRatio = (rows) => rows.toSorted((a, b) => b.ratio.estimate - a.ratio.estimate).map(line);
  const text = [
    `Findings with an AUROC of ${LEARNED} or more, which the model has learned; ${enough} of ${learned.length} have at least 3 times ` +
      'the energy of chance:',
    '',
    ...header,
    ...byRatio(learned),
    '',
    ...(rest.length === 0 ? [] : ['The others:', '', ...header, ...byRatio(rest), '']),
  ].join('\n');
  const page = readFileSync(PAGE, 'utf8');
  const marked = /(<!-- table -->\n)[\s\S]*(<!-- \/table -->)/;
  writeFileSync(
    PAGE,
    page.replace(marked, (_, begin, end) => `${begin}\n${text}\n${end}`),
  );
  process.stdout.write(`written    ${PAGE}\n`);
}

/** For each shown finding, the radiograph and its overlay, of the image of middle energy among the hits. */
async function writePicture() {
  const columns = [];
  for (const name of SHOWN) {
    const candidates = [];
    for (const [i, { image, column }] of explained.rows.entries()) {
      if (classes[column] !== name) continue;
      const mask = await masks(image, name);
      const pointed = pointAt(explained.maps.raw(i, [mask.height, mask.width]), mask);
      if (pointed.hit) candidates.push({ i, mask, energy: pointed.energy / pointed.area });
    }
    candidates.sort((a, b) => a.energy - b.energy);
    const chosen = candidates[candidates.length >> 1];
    if (chosen === undefined) throw new Error(`no map of ${name} hits its mask.`);
    const { image, probability } = explained.rows[chosen.i];
    const { grey, size } = await readShownPicture(imageRoot, image, { preprocessing });
    const draw = (map, mask, lines) => drawOverlay({ grey, size, map, lines, mask });
    const nothing = new Float32Array(size[0] * size[1]);
    columns.push([
      draw(nothing, null, ['', '']),
      draw(explained.maps.stretched(chosen.i, size), chosen.mask, [
        `${name} ${decimals(probability, 3)}`,
        'grad-cam',
      ]),
    ]);
  }
  const [first] = columns[0];
  const [gap, half] = [8, 2];
  const [w, h] = [Math.floor(first.width / half), Math.floor(first.height / half)];
  // the plain radiographs need no legend
  const plain = Math.floor(512 / half);
  const [width, height] = [columns.length * (w + gap) - gap, plain + gap + h];
  const pixels = new Uint8Array(3 * width * height).fill(255);
  for (const [c, [above, below]] of columns.entries()) {
    paste(pixels, width, { picture: above, left: c * (w + gap), top: 0, w, h: plain });
    paste(pixels, width, { picture: below, left: c * (w + gap), top: plain + gap, w, h });
  }
  writeFileSync(PICTURE, encodeRgbPng(pixels, width, height));
  process.stdout.write(`written    ${PICTURE}\n`);

  /** At half its size: means of 2 × 2 pixels. */
  function paste(target, targetWidth, { picture, left, top, w: across, h: down }) {
    for (let y = 0; y < down; y++) {
      for (let x = 0; x < across; x++) {
        for (let channel = 0; channel < 3; channel++) {
          let sum = 0;
          for (const dy of [0, 1]) {
            for (const dx of [0, 1]) {
              sum += picture.pixels[3 * ((2 * y + dy) * picture.width + 2 * x + dx) + channel];
            }
          }
          target[3 * ((top + y) * targetWidth + left + x) + channel] = sum / 4;
        }
      }
    }
  }
}
