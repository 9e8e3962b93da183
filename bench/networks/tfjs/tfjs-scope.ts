import { at, elementCount } from '#src/engine/graph/tensor.js';
import type { ModelDefinition } from '#src/models/model.js';
import type { Tf, TfTensor, TfVariable } from '../../contenders/tfjs.js';

/** Layers of a network in tfjs, over variables with tailray's names and values: the counterpart of `ModelScope`. */

/** Weight of a batch in the running statistics, as in tailray's step. */
const MOMENTUM = 0.1;

export interface TfjsVariables {
  readonly parameters: ReadonlyMap<string, TfVariable>;
  readonly statistics: ReadonlyMap<string, TfVariable>;
}

/** A network's values as variables of tfjs. */
export function variablesOf(
  tf: Tf,
  specs: ModelDefinition['parameters'] | ModelDefinition['statistics'],
  values: ReadonlyMap<string, Float32Array>,
): Map<string, TfVariable> {
  return new Map(
    specs.map(({ name, shape }) => {
      const initial = values.get(name) ?? new Float32Array(elementCount(shape));
      return [name, tf.tidy(() => tf.variable(tf.tensor(initial, shape), true))];
    }),
  );
}

export class TfjsScope {
  constructor(
    readonly tf: Tf,
    readonly variables: TfjsVariables,
    readonly mode: 'train' | 'eval' = 'train',
    readonly path = '',
  ) {}

  within(name: string): TfjsScope {
    return new TfjsScope(this.tf, this.variables, this.mode, `${this.path}${name}.`);
  }

  parameter(name: string): TfVariable {
    return this.#find('parameters', name);
  }

  /** With its bias, where it has one. @param x [n, h, w, c] */
  conv(name: string, x: TfTensor, stride: number, padding: number): TfTensor {
    const { tf } = this;
    const weight = this.parameter(`${name}.weight`);
    const y = tf.conv2d(x, weight, stride, padding, 'NHWC', 1, 'floor');
    return this.#biased(name, y);
  }

  /** One filter a channel. */
  depthwise(name: string, x: TfTensor, padding: number): TfTensor {
    const { tf } = this;
    const weight = this.parameter(`${name}.weight`);
    const [height = 1, width = 1] = weight.shape;
    const filter = tf.reshape(weight, [height, width, at(x.shape, 3), 1]);
    return this.#biased(name, tf.depthwiseConv2d(x, filter, 1, padding, 'NHWC', 1, 'floor'));
  }

  linear(name: string, x: TfTensor): TfTensor {
    return this.#biased(name, this.tf.matMul(x, this.parameter(`${name}.weight`)));
  }

  /** In training by the moments of the batch, which the running statistics follow. */
  batchNorm(name: string, x: TfTensor): TfTensor {
    const { tf } = this;
    const [gamma, beta] = [this.parameter(`${name}.weight`), this.parameter(`${name}.bias`)];
    if (this.mode === 'eval') {
      const running = (each: string) => this.#find('statistics', `${name}.running_${each}`);
      return tf.batchNorm(x, running('mean'), running('var'), beta, gamma, 1e-5);
    }
    const { mean, variance } = tf.moments(x, [0, 1, 2]);
    const count = x.shape.slice(0, 3).reduce((product, size) => product * size, 1);
    this.#follow(`${name}.running_mean`, mean);
    this.#follow(`${name}.running_var`, tf.mul(variance, count / (count - 1)));
    return tf.batchNorm(x, mean, variance, beta, gamma, 1e-5);
  }

  /** Over the last axis. */
  layerNorm(name: string, x: TfTensor): TfTensor {
    const { tf } = this;
    const { mean, variance } = tf.moments(x, [x.shape.length - 1], true);
    const normal = tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-6)));
    return tf.add(tf.mul(normal, this.parameter(`${name}.weight`)), this.parameter(`${name}.bias`));
  }

  #biased(name: string, y: TfTensor): TfTensor {
    const bias = this.variables.parameters.get(`${this.path}${name}.bias`);
    return bias ? this.tf.add(y, bias) : y;
  }

  #follow(name: string, value: TfTensor): void {
    const { tf } = this;
    const running = this.#find('statistics', name);
    running.assign(tf.add(tf.mul(running, 1 - MOMENTUM), tf.mul(value, MOMENTUM)));
  }

  #find(kind: keyof TfjsVariables, name: string): TfVariable {
    const variable = this.variables[kind].get(`${this.path}${name}`);
    if (!variable) throw new RangeError(`tailray's model has no "${this.path}${name}"`);
    return variable;
  }
}
