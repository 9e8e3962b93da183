import { ArenaLayout, ArenaPlan, createArenas } from '#src/engine/arena.js';
import { compile } from '#src/engine/compile.js';
import { at, Graph } from '#src/engine/graph/tensor.js';
import { buildDecayTable } from '#src/kernels/optimizer/decay-table.js';
import { adamW } from '#src/optimizers/adamw.js';
import { count } from '#src/text/numbers.js';
import type { JaxArray, JaxHost } from '../contenders/jax.js';
import type { TailrayHost } from '../contenders/tailray.js';
import { settleTfjs, type TfjsHost } from '../contenders/tfjs.js';
import { BETA1, BETA2, biasCorrections, EPSILON, TfjsAdamW } from '../contenders/tfjs-adamw.js';
import type { Entrant } from '../entrant.js';
import { operandValues } from '../operand-values.js';
import type { Workload } from '../workload.js';

/**
 * A step of AdamW over as many parameters as a ResNet-50 has, in one tensor: the parameters and both moments are
 * updated from their gradients, as far as a library can in place.
 */
const PARAMETERS = 25_000_000;
const RATE = 1e-3;
const DECAY = 0.01;

/** The parameters, then their gradients. */
const FORMS = [{ shape: [PARAMETERS] }, { shape: [PARAMETERS] }] as const;
const values = (place: 0 | 1) => operandValues(FORMS[place], place);

export const optimizers: readonly Workload[] = [
  {
    name: 'adamw-25M',
    direction: 'step',
    shape: count(PARAMETERS),
    // parameters, gradients and two moments are read; all but the gradients are written
    cost: { flops: 15 * PARAMETERS, bytes: 7 * 4 * PARAMETERS },
    entries: { tailray, 'tfjs-webgpu': tfjs, 'jax-js': jax },
  },
];

async function tailray({ device, tuning }: TailrayHost): Promise<Entrant> {
  const layout = new ArenaLayout(
    [{ name: 'weight', shape: [PARAMETERS], dtype: 'f32' }],
    device.traits.maxBindingBytes,
  );
  const plan = (name: string) => new ArenaPlan(name, layout);
  const arenas = await createArenas(device, {
    params: plan('params'),
    grads: plan('grads'),
    firstMoment: plan('firstMoment'),
    secondMoment: plan('secondMoment'),
  });
  arenas.params.write('weight', values(0));
  arenas.grads.write('weight', values(1));

  const graph = new Graph();
  const [table = new Float32Array()] = buildDecayTable(layout, [
    { matches: () => true, learningRateScale: 1, weightDecay: DECAY },
  ]);
  const shard = (name: keyof typeof arenas) => at(layout.shardVariables(graph, name), 0);
  const optimizer = adamW.bind({ betas: [BETA1, BETA2], eps: EPSILON });
  optimizer.update({
    params: shard('params'),
    grads: shard('grads'),
    state: { firstMoment: shard('firstMoment'), secondMoment: shard('secondMoment') },
    table: graph.constant(table, [table.length / 2, 2]),
    hyper: graph.input('hyper', [optimizer.hyperLength]),
    clip: graph.constant(Float32Array.of(1), [1]),
  });
  const program = await compile(device, { graph, arenas, tuning });
  let step = 0;
  return {
    async round(repeats) {
      for (let i = 0; i < repeats; i++) {
        program.run({ hyper: optimizer.hyper({ learningRate: RATE, step: ++step, averageDecay: 1 }) });
      }
      await device.idle();
    },
    results: async () => [await arenas.params.read('weight')],
    peakBytes: program.ownBytes + Object.values(arenas).reduce((sum, { bytes }) => sum + bytes, 0),
    dispose() {
      program.destroy();
      for (const arena of Object.values(arenas)) arena.destroy();
    },
  };
}

async function tfjs({ tf }: TfjsHost): Promise<Entrant> {
  const before = tf.memory().numBytes;
  const gradient = tf.tensor(values(1), [PARAMETERS]);
  const weight = tf.tidy(() => tf.variable(tf.tensor(values(0), [PARAMETERS]), false));
  const adam = new TfjsAdamW(tf, weight, { learningRate: RATE, weightDecay: DECAY });
  let step = 0;
  let peakBytes = 0;
  const once = () => adam.update(gradient, ++step);
  return {
    async round(repeats) {
      // the first step tells the memory
      if (step === 0) ({ peakBytes } = await tf.profile(once));
      else once();
      for (let i = 1; i < repeats; i++) once();
      await settleTfjs(tf);
    },
    results: async () => [await weight.data()],
    get peakBytes() {
      return peakBytes - before;
    },
    dispose() {
      adam.dispose();
      tf.dispose([gradient]);
    },
  };
}

async function jax({ jax: { jit, numpy, ...jax } }: JaxHost): Promise<Entrant> {
  const array = (initial: Float32Array) => numpy.array(initial, { shape: [initial.length] });
  const gradient = array(values(1));
  const zeros = () => array(new Float32Array(PARAMETERS));
  let state = [array(values(0)), zeros(), zeros()];
  let step = 0;
  const once = jit((...all) => {
    const [weight, m, v, g, rate, root] = all as Six;
    const first = numpy.add(numpy.multiply(m, BETA1), numpy.multiply(g.ref, 1 - BETA1));
    const second = numpy.add(numpy.multiply(v, BETA2), numpy.multiply(numpy.square(g), 1 - BETA2));
    const scale = numpy.add(numpy.multiply(numpy.sqrt(second.ref), root), EPSILON);
    const change = numpy.divide(numpy.multiply(first.ref, rate), scale);
    return [numpy.subtract(numpy.multiply(weight, 1 - RATE * DECAY), change), first, second];
  });
  return {
    async round(repeats) {
      for (let i = 0; i < repeats; i++) {
        const { rate, root } = biasCorrections(RATE, ++step);
        state = once(...state, gradient.ref, array(Float32Array.of(rate)), array(Float32Array.of(root)));
      }
      await jax.blockUntilReady(state);
      await jax.getWebGPUDevice().queue.onSubmittedWorkDone();
    },
    async results() {
      const [weight] = state;
      return weight ? [await weight.ref.data()] : [];
    },
    peakBytes: null,
    dispose() {
      for (const held of [gradient, ...state]) held.dispose();
    },
  };
}

type Six = [JaxArray, JaxArray, JaxArray, JaxArray, JaxArray, JaxArray];
