// @ts-check
/**
 * `npm run demo`: from a fresh clone to a trained classifier and its report, on simulated radiographs.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { demoSize } from './demo-size.mjs';
import { elapsed, listDevices, prepare, ROOT, runNode, StepFailed, step } from './setup.mjs';

const FOLDER = 'runs/demo';
const DATA = `${FOLDER}/data`;
const RUN = `${FOLDER}/run`;
/** A tail of 300:1, with a few of each finding to learn from: 2,000 images are too few for the challenge's 1,076:1. */
const PHANTOMS = '--size 64 --seed 7 --imbalance 300 --min-positives 8';

/**
 * The commands of the demo in their order, each with a title and as words on a command line.
 * @param {import('./demo-size.mjs').DemoSize} size
 */
function commands({ images, epochs }) {
  return [
    ['Draw phantoms (simulated radiographs)', `synth --out ${DATA} --count ${images} ${PHANTOMS}`],
    [
      'Train',
      `train --recipe recipes/quick.yaml --set schedule.epochs=${epochs} --data ${DATA} --out ${RUN}`,
    ],
    ['Evaluate', `evaluate ${RUN}`],
    ['Write the report', `report ${RUN}`],
  ];
}

/** What is worth looking at afterwards. */
const RESULTS = [
  ['the report, for a browser', `${RUN}/report.html`],
  ['the figures', `${RUN}/summary.json`],
  ['the model', `${RUN}/best.safetensors`],
  ['predictions', `${RUN}/predictions.csv`],
  ['the phantoms', DATA],
];

const start = Date.now();
try {
  await prepare();
  const size = await step('Measure the adapter', chooseSize);
  // an earlier demo's results would be refused, or taken for this one's
  rmSync(join(ROOT, FOLDER), { recursive: true, force: true });
  for (const [title = '', command = ''] of commands(size)) {
    await step(title, async () => {
      console.log(`   npx tailray ${command}\n`);
      const code = await runNode(['dist/cli/tailray.js', ...command.split(' ')]);
      if (code !== 0)
        throw new StepFailed(
          `The demo stopped: \`${command}\` ended with code ${code}. Its messages are above.`,
        );
    });
  }
  console.log(
    `\nThe demo took ${elapsed(Date.now() - start)}. It used simulated images: nothing here is for clinical use.\n`,
  );
  for (const [words = '', path = ''] of RESULTS) {
    if (existsSync(join(ROOT, path))) console.log(`  ${words.padEnd(28)}${path}`);
  }
} catch (error) {
  if (!(error instanceof StepFailed)) throw error;
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}

async function chooseSize() {
  const { adapters, chosen, roofline } = await listDevices('--measure');
  if (!roofline) throw new StepFailed('The adapter could not be measured.');
  const kind = adapters.find(({ accepted, name }) => accepted && name === chosen)?.kind;
  const size = demoSize({ kind, gflops: roofline.gflops });
  const { images, epochs, seconds } = size;
  console.log(
    `   This adapter does ${roofline.gflops.toFixed(0)} GFLOP/s: a demo of ${images} images and ${epochs} epochs, ` +
      `which it computes in about ${elapsed(1000 * Math.max(5, 5 * Math.round(seconds / 5)))}.`,
  );
  return size;
}
