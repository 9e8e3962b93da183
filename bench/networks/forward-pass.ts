import { type ArenaPlan, createArenas } from '#src/engine/arena.js';
import { compile } from '#src/engine/compile.js';
import { Graph } from '#src/engine/graph/tensor.js';
import { planWeightArenas } from '#src/models/weight-arenas.js';
import { copyParameters } from '#src/train/step/training-state.js';
import { type PytorchHost, pytorchModelEntrant } from '../contenders/pytorch.js';
import { destroyAll, HALVES, halfPlan, programEntrant, type TailrayHost } from '../contenders/tailray.js';
import { settleTfjs, type TfjsHost, type TfTensor } from '../contenders/tfjs.js';
import type { Entrant } from '../entrant.js';
import type { Peer, Workload } from '../workload.js';
import { CHANNELS, type NetworkSizes, pytorchModel, startOf } from './network-start.js';
import { TfjsScope, variablesOf } from './tfjs/tfjs-scope.js';

/** A network's logits of a batch that lies on the device: inference, norms by their running statistics. */
export interface ForwardPass extends NetworkSizes {
  readonly onlyOnGpu?: 'everybody' | readonly Peer[];
  /** The network in tfjs. @returns logits */
  readonly tfjs?: (scope: TfjsScope, images: TfTensor) => TfTensor;
}

export function forwardPass(pass: ForwardPass): Workload {
  const { arch, batch, image, classes, stem, onlyOnGpu, tfjs, torchvision } = pass;
  return {
    name: `${arch}-${image}px-batch${batch}`,
    direction: 'forward',
    shape: `${batch}×${image}×${image}×${CHANNELS}, ${classes} classes`,
    settings: `inference: logits of a batch that lies on the device; stem ${stem}; ${image} × ${image} pixels, RGB, batch ${batch}`,
    ...(onlyOnGpu && { onlyOnGpu }),
    entries: {
      tailray: (host) => tailrayPass(host, pass, 'f32'),
      'tailray-f16': (host) => tailrayPass(host, pass, 'f16'),
      ...(tfjs && { 'tfjs-webgpu': (host) => tfjsPass(host, pass, tfjs) }),
      ...(torchvision !== undefined && {
        'pytorch-cpu': (host) => pytorchPass(host, pass, torchvision),
        'pytorch-cuda': (host) => pytorchPass(host, pass, torchvision),
      }),
    },
  };
}

async function tailrayPass(
  { device, tuning }: TailrayHost,
  pass: ForwardPass,
  precision: 'f32' | 'f16',
): Promise<Entrant> {
  const { definition, weights, images, imageForm } = startOf(pass);
  const { params, stats } = planWeightArenas(definition, device.traits.maxBindingBytes);
  const half = precision === 'f16';
  const plans: Record<string, ArenaPlan> = { params, stats, ...(half && halfPlan(params.layout)) };
  const arenas = await createArenas(device, plans);
  for (const [name, values] of weights.parameters) arenas.params?.write(name, values);
  for (const [name, values] of weights.statistics) arenas.stats?.write(name, values);
  const { params: full, halfParams } = arenas;
  if (full && halfParams) await copyParameters(device, { params: full, halfParams });
  const graph = new Graph();
  const { logits } = definition.trace(graph, graph.input('images', imageForm.shape), 'eval');
  const program = await compile(device, {
    graph,
    outputs: [logits],
    arenas,
    tuning,
    ...(half && { halves: HALVES }),
  });
  program.run({ images });
  await device.idle();
  const bytes = Object.values(arenas).reduce((sum, arena) => sum + arena.bytes, program.ownBytes);
  const entrant = programEntrant(device, program, [logits], bytes, () => {
    program.destroy();
    destroyAll(arenas);
  });
  return { ...entrant, costs: program.rows };
}

async function tfjsPass(
  { tf }: TfjsHost,
  pass: ForwardPass,
  network: NonNullable<ForwardPass['tfjs']>,
): Promise<Entrant> {
  const before = tf.memory().numBytes;
  const { definition, weights, images, imageForm } = startOf(pass);
  const x = tf.tensor(images, imageForm.shape);
  const variables = {
    parameters: variablesOf(tf, definition.parameters, weights.parameters),
    statistics: variablesOf(tf, definition.statistics, weights.statistics),
  };
  const scope = new TfjsScope(tf, variables, 'eval');
  let logits: TfTensor | undefined;
  const once = () => {
    if (logits) tf.dispose([logits]);
    logits = tf.tidy(() => network(scope, x));
  };
  const { peakBytes } = await tf.profile(once);
  await settleTfjs(tf);
  return {
    async round(repeats) {
      for (let i = 0; i < repeats; i++) once();
      await settleTfjs(tf);
    },
    results: async () => (logits ? [await logits.data()] : []),
    peakBytes: peakBytes - before,
    dispose() {
      tf.dispose([...(logits ? [logits] : []), x]);
      tf.dispose([...variables.parameters.values(), ...variables.statistics.values()]);
    },
  };
}

function pytorchPass(host: PytorchHost, pass: ForwardPass, model: string): Promise<Entrant> {
  return pytorchModelEntrant(host, pytorchModel(model, startOf(pass)), {
    shape: [pass.batch, pass.classes],
  });
}
