import { describe, expect, test } from 'vitest';
import { architectures, defineModel } from '../../../src/models/model.js';
import { fitWeights } from '../../../src/models/weights/fit-weights.js';
import { adaptInputChannels, inputParameters } from '../../../src/models/weights/input-channels.js';
import { f32, stateDict } from '../named-tensors.js';
import { narrow } from '../narrow.js';

const keep = { head: 'keep', seed: 0 } as const;

describe('a stem for other image channels', () => {
  test.each(architectures())('%s: the one layer that reads images is found', (arch) => {
    const definition = defineModel({ ...narrow(arch), classes: 2 });
    const [first] = definition.parameters.filter(({ layout }) => layout === 'conv');
    expect(inputParameters(definition)).toEqual([first?.name]);
  });

  // timm.models.adapt_input_conv on arange(1, 7).reshape(1, 3, 1, 2)
  const rgb = f32([1, 3, 1, 2], [1, 2, 3, 4, 5, 6]);
  test.each([
    [1, [9, 12]],
    [2, [1.5, 3, 4.5, 6]],
    [4, [0.75, 1.5, 2.25, 3, 3.75, 4.5, 0.75, 1.5]],
    [5, [0.6, 1.2, 1.8, 2.4, 3, 3.6, 0.6, 1.2, 1.8, 2.4]],
    [6, [0.5, 1, 1.5, 2, 2.5, 3, 0.5, 1, 1.5, 2, 2.5, 3]],
  ])('from RGB to %d channels as in timm', (channels, expected) => {
    const { shape, data } = adaptInputChannels(rgb, channels) ?? f32([], []);
    expect(shape).toEqual([1, channels, 1, 2]);
    expect(data).toEqual(Float32Array.from(expected));
  });

  test('each output keeps its own weights, and halves are read as numbers', () => {
    const adapted = adaptInputChannels(
      { dtype: 'F16', shape: [2, 3, 1, 1], data: Uint16Array.of(0x3c00, 0x3c00, 0x4000, 0, 0xbc00, 0xbc00) },
      1,
    );
    expect(adapted).toEqual(f32([2, 1, 1, 1], [4, -2]));
  });

  test('from grey, the weights are spread over the channels', () => {
    expect(adaptInputChannels(f32([1, 1, 1, 2], [3, 6]), 3)).toEqual(f32([1, 3, 1, 2], [1, 2, 1, 2, 1, 2]));
  });

  test('where there is no rule, the shapes are reported', () => {
    expect(adaptInputChannels(f32([1, 4, 1, 1], [1, 1, 1, 1]), 3)).toBeNull();
    const file = stateDict(defineModel({ arch: 'resnet10', classes: 2, width: 4, inChannels: 4 }));
    const definition = defineModel({ arch: 'resnet10', classes: 2, width: 4, inChannels: 3 });
    expect(() => fitWeights(definition, file, keep)).toThrow(/conv1\.weight +\[4, 4, 7, 7\] +\[4, 3, 7, 7\]/);
  });

  test('is noted', () => {
    const file = stateDict(defineModel({ arch: 'convnextv2_atto', classes: 2, width: 8, inChannels: 3 }));
    const notes = (inChannels: number) =>
      fitWeights(defineModel({ arch: 'convnextv2_atto', classes: 2, width: 8, inChannels }), file, keep)
        .notes;
    expect(notes(1)).toEqual([
      'stem.0.weight reads one grey channel: the sum of its weights for 3 channels.',
    ]);
    expect(notes(6)).toEqual(['stem.0.weight reads 6 channels: its weights for 3 repeated, times 3/6.']);
    expect(notes(3)).toEqual([]);
  });
});
