/**
 * A user's program, compiled against the installed package and run: the library in the README, and a name of each room.
 */
import {
  architectures,
  compile,
  type Device,
  defineLoss,
  defineModel,
  evaluateLoss,
  Graph,
  type Interval,
  metrics,
  openDevice,
  ops,
  parseRecipe,
  Random,
  type Recipe,
  type RunListener,
  registeredLosses,
  registerLoss,
  TailrayError,
  writeSafetensors,
} from 'tailray';
import { z } from 'zod';

const recipe: Recipe = parseRecipe('model: {arch: resnet18}', { path: 'recipe.yaml' });
const interval: Interval | undefined = undefined;
const listener: RunListener = () => undefined;

registerLoss(
  defineLoss({
    name: 'squared',
    summary: 'half of the squared distance of logit and label',
    source: 'this test',
    parameters: z.strictObject({}),
    wgsl: () => 'fn loss(x: f32, y: f32) -> vec2f { return vec2f(0.5 * (x - y) * (x - y), x - y); }',
    reference: (_parameters, x, y) => ({ value: 0.5 * (x - y) ** 2, slope: x - y }),
    flops: 4,
  }),
);

const device: Device = await openDevice();
try {
  const logits = new Float32Array([1, 2]);
  const labels = new Float32Array([0, 1]);
  const { value, grad } = await evaluateLoss(device, { name: 'squared' }, logits, labels, {
    n: 1,
    classes: 2,
  });
  console.log(
    JSON.stringify({
      value,
      grad: [...grad],
      arch: recipe.model.arch,
      architectures: architectures().includes(recipe.model.arch),
      losses: registeredLosses().some(({ name }) => name === 'squared'),
      functions: [compile, defineModel, writeSafetensors, Graph, Random, TailrayError].every(
        (each) => typeof each === 'function',
      ),
      rooms: [Object.keys(metrics).length > 0, Object.keys(ops).length > 0],
      interval,
      listener: typeof listener,
    }),
  );
} finally {
  device.close();
}
