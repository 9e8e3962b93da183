import { parser, runCommand } from '#src/cli/command.js';
import { adapterOption } from '#src/cli/options/common-options.js';
import { positiveNumber } from '#src/cli/options/number-option.js';
import { formatExplanation } from '#src/cli/text/plan-table.js';
import { type CompileOptions, compile, planProgram } from '#src/engine/compile.js';
import type { Device } from '#src/engine/device.js';
import { Graph } from '#src/engine/graph/tensor.js';
import { Random } from '#src/engine/random.js';
import { explainByRuns } from '#src/engine/run/explanation.js';
import { CLIPS, type ClipConfig } from '#src/models/clip/clip-config.js';
import { imageTower } from '#src/models/clip/image-tower.js';
import { initialParameters } from '#src/models/model.js';
import { traceInputs } from '#src/models/network.js';
import { createWeightArenas, planWeightArenas } from '#src/models/weight-arenas.js';
import { openDevice } from '#src/platform/node/open-device.js';
import { createClip } from '#src/zeroshot/clip.js';
import { BenchError } from './bench-error.js';
import { operandValues } from './operand-values.js';
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
  const [height, width] = config.image.size;
  const clip = await createClip(device, { config, batchSize: batch });
  const random = new Random(0, 'clip-pass');
  const pixels = Uint16Array.from({ length: images * height * width }, () => random.int(65536));
  // compiles everything
  await clip.encodeImages(pixels.subarray(0, batch * height * width));
  const seconds: number[] = [];
  while (seconds.length < count) {
    const start = performance.now();
    await clip.encodeImages(pixels);
    seconds.push((performance.now() - start) / 1000);
  }
  await clip.destroy();
  const { params } = planWeightArenas(imageTower(config), device.traits.maxBindingBytes);
  const { bytes } = planProgram(device, { ...traced(config, batch), arenas: { params } });
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
  const program = await compile(device, { ...traced(config, batch), arenas: { params } });
  program.run({ images: operandValues({ shape: [batch, ...config.image.size, 3] }, 0) });
  const { rows, bytes: planned } = program;
  return formatExplanation(await explainByRuns(device, { rows, planned, profile: () => program.profile() }));
}

function traced(config: ClipConfig, batch: number): Pick<CompileOptions, 'graph' | 'outputs'> {
  const tower = imageTower(config);
  const graph = new Graph();
  const { outputs } = tower.trace(graph, traceInputs(graph, tower.inputs, batch), { mode: 'eval' });
  return { graph, outputs: [outputs.embedding] };
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
