import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parser, runCommand } from '#src/cli/command.js';
import { positiveNumber } from '#src/cli/options/number-option.js';
import { PictureCache } from '#src/data/cache/picture-cache.js';
import { type Dataset, openDataset } from '#src/data/dataset.js';
import { augmentSchema } from '#src/data/images/augment.js';
import { preprocessingSchema } from '#src/data/images/preprocessing.js';
import { BatchLoader } from '#src/data/loader.js';
import { picturePool } from '#src/data/threads/picture-pool.js';
import { openPredictionSource } from '#src/predict/prediction-source.js';
import { formatByteSize } from '#src/text/byte-size.js';
import { spread } from './statistics.js';

/**
 * `node dist/bench/input-pipeline.js FOLDER`: how many pictures a second come out of the input pipeline, decoded, from
 * the cache folder and from memory, and as batches for a step that takes no time. scripts/pytorch/input_pipeline.py does the
 * same with PyTorch's DataLoader. TAILRAY_THREADS sets the number of threads. Prints one JSON object.
 *
 * With `--visits` it goes on for so many pictures instead, and prints the memory on the way.
 */

interface Flags {
  readonly size: number;
  readonly bits: number;
  readonly batch: number;
  readonly batches: number;
  readonly passes: number;
  readonly visits?: number;
  readonly from: Source;
}

type Source = 'files' | 'cache' | 'memory';

async function inputPipeline(folder: string, flags: Flags): Promise<void> {
  const cache = await mkdtemp(join(tmpdir(), 'tailray-bench-'));
  try {
    const open = (from: Source) => openPictures(folder, from, cache, flags);
    const result = flags.visits === undefined ? await rates(open, flags) : await memory(open, flags);
    process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  } finally {
    await rm(cache, { recursive: true, force: true });
  }
}

/** The pictures of a folder as a data set that finds prepared ones in memory, in the cache folder, or nowhere. */
async function openPictures(
  folder: string,
  from: Source,
  cache: string,
  { size, bits }: Flags,
): Promise<Dataset> {
  const { table, imageRoot } = await openPredictionSource(folder, { classes: ['none'] });
  return openDataset({
    table,
    root: imageRoot,
    preprocessing: preprocessingSchema.parse({ size: [size, size], bits }),
    cacheBytes: from === 'memory' ? Number.POSITIVE_INFINITY : 0,
    cache: from === 'files' ? undefined : new PictureCache({ folder: cache }),
  });
}

async function rates(open: (from: Source) => Promise<Dataset>, flags: Flags) {
  const { size, bits, batch, batches, passes } = flags;
  const rate = async (from: Source) => {
    const dataset = await open(from);
    // starts the threads, and fills cache folder and memory
    await visit(dataset, dataset.length, flags);
    const rounds: Round[] = [];
    while (rounds.length < passes) rounds.push(await visit(dataset, batch * batches, flags));
    return {
      imagesPerSecond: spread(rounds.map((round) => round.imagesPerSecond)),
      cpuMsPerImage: spread(rounds.map((round) => round.cpuMsPerImage)),
      mainThreadBusy: spread(rounds.map((round) => round.mainThreadBusy)),
    };
  };
  const dataset = await open('files');
  const results = {
    decoded: await rate('files'),
    cacheFolder: await rate('cache'),
    memory: await rate('memory'),
  };
  return {
    images: dataset.length,
    size,
    bits,
    batch,
    batches,
    passes,
    threads: picturePool.threads,
    ...results,
    batchBytes: (batch * size * size * bits) / 8,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  };
}

interface Round {
  readonly imagesPerSecond: number;
  /** Of all threads: other work on the machine hardly changes it. */
  readonly cpuMsPerImage: number;
  /** Share of the time. */
  readonly mainThreadBusy: number;
}

/** Batches of so many pictures, the files in turns, for a step that takes no time. */
async function visit(dataset: Dataset, count: number, { batch }: Flags): Promise<Round> {
  const order = Int32Array.from({ length: count }, (_, i) => i % dataset.length);
  const augmentation = augmentSchema.parse({});
  const cpu = process.cpuUsage();
  const [start, before] = [performance.now(), performance.eventLoopUtilization()];
  for await (const _ of new BatchLoader({
    dataset,
    order,
    batchSize: batch,
    lastBatch: 'pad',
    augmentation,
  }));
  const { utilization } = performance.eventLoopUtilization(before);
  const { user, system } = process.cpuUsage(cpu);
  return {
    imagesPerSecond: (1000 * count) / (performance.now() - start),
    cpuMsPerImage: (user + system) / 1000 / count,
    mainThreadBusy: utilization,
  };
}

async function memory(open: (from: Source) => Promise<Dataset>, { visits = 0, from, batch }: Flags) {
  const dataset = await open(from);
  const order = Int32Array.from({ length: visits }, (_, i) => i % dataset.length);
  const every = Math.ceil(visits / batch / 20);
  const points: { visits: number; rss: string }[] = [];
  const loader = new BatchLoader({ dataset, order, batchSize: batch, lastBatch: 'pad' });
  for await (const { index, valid } of loader) {
    if ((index + 1) % every > 0 && index + 1 < loader.batches) continue;
    points.push({ visits: index * batch + valid, rss: formatByteSize(process.memoryUsage.rss()) });
  }
  return { images: dataset.length, from, threads: picturePool.threads, points };
}

await runCommand(
  parser('input-pipeline')
    .argument('<folder>', 'pictures, such as `synth --size 1024` draws')
    .option('--size <pixels>', 'side of the prepared pictures', positiveNumber, 224)
    .option('--bits <n>', 'of the prepared pictures, 8 or 16', positiveNumber, 8)
    .option('--batch <n>', 'pictures of a batch', positiveNumber, 64)
    .option('--batches <n>', 'batches of a pass', positiveNumber, 4)
    .option('--passes <n>', 'timed passes', positiveNumber, 5)
    .option('--visits <n>', 'go on for so many pictures instead, and print the memory', positiveNumber)
    .option('--from <source>', 'with --visits: files, cache or memory', 'files')
    .action(inputPipeline),
);
