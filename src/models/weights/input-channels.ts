import { elementCount } from '../../engine/graph/tensor.js';
import { defineModel, type ModelDefinition } from '../model.js';
import { type SafetensorsTensor, toFloat32 } from '../safetensors/safetensors.js';

/**
 * A stem's weights for other images than it was trained on, as timm's `adapt_input_conv` has them: for grey images the
 * sum over the input channels; for any other number the channels are repeated, and scaled by their old number over the
 * new one. So a grey image gives what the same image in every channel gave (for numbers that repeat evenly).
 */

/** The parameters that read the images: those whose shape depends on how many channels these have. */
export function inputParameters({ config, parameters }: ModelDefinition): string[] {
  const other = defineModel({ ...config, inChannels: config.inChannels + 1 });
  const shapes = new Map(other.parameters.map(({ name, shape }) => [name, shape.join()]));
  return parameters.filter(({ name, shape }) => shapes.get(name) !== shape.join()).map(({ name }) => name);
}

/**
 * @param weights a convolution's [o, channels, kh, kw], as PyTorch has it
 * @returns [o, wanted, kh, kw], or null where there is no rule: from 2 channels, or more than 3, to more than one (as in
 *   timm; there from one, too)
 */
export function adaptInputChannels(weights: SafetensorsTensor, wanted: number): SafetensorsTensor | null {
  const [outputs = 0, channels = 0, ...kernel] = weights.shape;
  const regular = channels === 1 || channels === 3 || (channels === 2 && wanted === 1);
  if (kernel.length !== 2 || !regular) return null;
  const taps = elementCount(kernel);
  const from = toFloat32(weights);
  const data = new Float32Array(outputs * wanted * taps);
  for (let o = 0; o < outputs; o++) {
    for (let c = 0; c < wanted; c++) {
      for (let tap = 0; tap < taps; tap++) {
        const at = (channel: number) => from[(o * channels + channel) * taps + tap] ?? 0;
        let value = at(c % channels) * (channels / wanted);
        if (wanted === 1) {
          value = 0;
          for (let channel = 0; channel < channels; channel++) value += at(channel);
        }
        data[(o * wanted + c) * taps + tap] = value;
      }
    }
  }
  return { dtype: 'F32', shape: [outputs, wanted, ...kernel], data };
}
