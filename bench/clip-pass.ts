import { parser, runCommand } from '#src/cli/command.js';
import { adapterOption } from '#src/cli/options/common-options.js';
import { positiveNumber } from '#src/cli/options/number-option.js';
import { formatExplanation } from '#src/cli/text/plan-table.js';
import { compile, planProgram } from '#src/engine/compile.js';
import type { Device } from '#src/engine/device.js';
import { Graph } from '#src/engine/graph/tensor.js';
import { Random } from '#src/engine/random.js';
import { explainByRuns } from '#src/engine/run/explanation.js';
import { CLIPS, type ClipConfig } from '#src/models/clip/clip-config.js';
import { imageTower } from '#src/models/clip/image-tower.js';
import { initialParameters } from '#src/models/model.js';
import { createWeightArenas, planWeightArenas } from '#src/models/weight-arenas.js';
import { openDevice } from '#src/platform/node/open-device.js';
import { ImageInput } from '#src/predict/image-input.js';
import { createClip } from '#src/zeroshot/clip.js';
import { BenchError } from './bench-error.js';
import { spread } from './statistics.js';

/**
 * `node dist/bench/clip-pass.js`: how long a CLIP with fresh weights takes to embed images, and with how much memory.
 * scripts/pytorch/clip_pass.py does the same with PyTorch on the CPU. Prints one JSON object, or with `--profile` a table
 * of where the time of a batch goes.
 */

interface Flags {
  readonly model: string;
  readonly images: number;
  readonly batch: number;
  readonly passes: number;
  readonly adapter?: string;
  readonly profile?: boolean;
}

async function clipPass(flags: Flags): Promise<void> {
  const { model, batch, adapter } = flags;
  const config = Object.hasOwn(CLIPS, model) ? CLIPS[model] : undefined;
  if (!config)
    throw new BenchError(`there is no CLIP "${model}"; there are ${Object.keys(CLIPS).join(', ')}.`);
  const device = await openDevice({ adapter });
  try {
    const text = flags.profile
      ? await profile(device, config, batch)
      : `${JSON.stringify(await passes(device, config, flags), null, 2)}\n`;
    process.stdout.write(text);
  } finally {
    device.close();
  }
}

async function passes(device: Device, config: ClipConfig, { model, images, batch, passes: count }: Flags) {
  const clip = await createClip(device, { config, batchSize: batch });
  const pixels = noise(images, config);
  // compiles everything
  await clip.encodeImages(noise(batch, config));
  const seconds: number[] = [];
  while (seconds.length < count) {
    const start = performance.now();
    await clip.encodeImages(pixels);
    seconds.push((performance.now() - start) / 1000);
  }
  await clip.destroy();
  const { params } = planWeightArenas(imageTower(config), device.traits.maxBindingBytes);
  const { graph, outputs } = traced(config, batch);
  const { bytes } = planProgram(device, { graph, outputs, arenas: { params } });
  return {
    model,
    images,
    batch,
    adapter: device.traits.adapter,
    seconds: spread(seconds),
    deviceBytes: bytes,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  };
}

async function profile(device: Device, config: ClipConfig, batch: number): Promise<string> {
  const tower = imageTower(config);
  const parameters = initialParameters(tower, 0);
  const { params } = await createWeightArenas(device, tower, { parameters, statistics: new Map() });
  const { input, graph, outputs } = traced(config, batch);
  const program = await compile(device, { graph, outputs, arenas: { params } });
  program.run(input.feeds(noise(batch, config)));
  const { rows, bytes: planned } = program;
  return formatExplanation(await explainByRuns(device, { rows, planned, profile: () => program.profile() }));
}

function traced(config: ClipConfig, batch: number) {
  const graph = new Graph();
  const preprocessing = { ...config.preprocessing, size: config.image.size, bits: 16, channels: 3 } as const;
  const input = new ImageInput(graph, { preprocessing, batchSize: batch });
  const { outputs } = imageTower(config).trace(graph, { images: input.images }, { mode: 'eval' });
  return { graph, outputs: [outputs.embedding], input };
}

/** Prepared pictures of 16 bits. */
function noise(images: number, { image }: ClipConfig): Uint16Array<ArrayBuffer> {
  const random = new Random(0, 'clip-pass');
  return Uint16Array.from({ length: images * image.size[0] * image.size[1] }, () => random.int(65536));
}

await runCommand(
  parser('clip-pass')
    .option('--model <name>', "open_clip's name of a CLIP", 'ViT-L-14')
    .option('--images <n>', 'images of a pass', positiveNumber, 20)
    .option('--batch <n>', 'images at a time', positiveNumber, 4)
    .option('--passes <n>', 'timed passes', positiveNumber, 3)
    .addOption(adapterOption())
    .option('--profile', 'time a batch op by op instead')
    .action(clipPass),
);
