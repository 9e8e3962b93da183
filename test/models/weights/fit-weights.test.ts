import { describe, expect, test } from 'vitest';
import { HEADS, type HeadChoice } from '../../../src/models/heads/registry.js';
import { defineModel, initialParameters, type ModelDefinition } from '../../../src/models/model.js';
import type { SafetensorsTensor } from '../../../src/models/safetensors/safetensors.js';
import { type FitOptions, fitWeights } from '../../../src/models/weights/fit-weights.js';
import { importTimm, timmShapes } from '../../../src/models/weights/timm-weights.js';
import { WeightsError } from '../../../src/models/weights/weights-error.js';
import { stateDict } from '../named-tensors.js';

const resnet = defineModel({ arch: 'resnet10', classes: 3, width: 4 });
const convnext = defineModel({ arch: 'convnext_atto', classes: 3, width: 8 });
const keep: FitOptions = { head: 'keep', seed: 0 };
const reset: FitOptions = { head: 'reset', seed: 5 };

function refusal(definition: ModelDefinition, tensors: Map<string, SafetensorsTensor>, options = keep) {
  try {
    fitWeights(definition, tensors, options);
  } catch (error) {
    if (error instanceof WeightsError) return error;
    throw error;
  }
  throw new Error('they fitted');
}

function without(tensors: Map<string, SafetensorsTensor>, ...names: string[]) {
  for (const name of names) expect(tensors.delete(name), name).toBe(true);
  return tensors;
}

const withTensor = (tensors: Map<string, SafetensorsTensor>, name: string, ...shape: number[]) =>
  tensors.set(name, { dtype: 'F32', shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });

describe('what fits is taken as it is', () => {
  test('without a word', () => {
    const tensors = stateDict(convnext);
    const { notes, ...weights } = fitWeights(convnext, tensors, keep);
    expect(notes).toEqual([]);
    expect(weights).toEqual(importTimm(convnext, tensors));
  });

  test('counters of batch norms may be there, wherever there is a norm', () => {
    const tensors = stateDict(resnet).set('bn1.num_batches_tracked', {
      dtype: 'I64',
      shape: [],
      data: BigInt64Array.of(7n),
    });
    expect(fitWeights(resnet, tensors, keep).notes).toEqual([]);
    const bare = withTensor(stateDict(resnet), 'num_batches_tracked', 1);
    expect(refusal(resnet, bare).differences).toMatchObject([{ kind: 'unexpected' }]);
  });
});

describe('what differs is listed, tensor by tensor', () => {
  test('with both shapes; the file’s are PyTorch’s', () => {
    const tensors = without(stateDict(resnet), 'bn1.running_var', 'layer2.0.downsample.0.weight');
    withTensor(withTensor(tensors, 'layer5.0.conv1.weight', 4, 4, 3, 3), 'layer1.0.conv1.weight', 4, 8, 3, 3);
    tensors.set('bn1.bias', { dtype: 'I32', shape: [4], data: new Int32Array(4) });
    const { message, differences, headOnly } = refusal(resnet, tensors);
    expect(differences.map(({ kind, name, part }) => [kind, name, part])).toEqual([
      ['dtype', 'bn1.bias', 'backbone'],
      ['shape', 'layer1.0.conv1.weight', 'backbone'],
      ['missing', 'layer2.0.downsample.0.weight', 'backbone'],
      ['missing', 'bn1.running_var', 'backbone'],
      ['unexpected', 'layer5.0.conv1.weight', 'backbone'],
    ]);
    expect(headOnly).toBe(false);
    expect(message.split('\n')).toEqual([
      'the weights do not fit the model: 5 tensors differ',
      '  tensor                        in the file   in the model',
      '  bn1.bias                      I32 [4]       [4]',
      '  layer1.0.conv1.weight         [4, 8, 3, 3]  [4, 4, 3, 3]',
      '  layer2.0.downsample.0.weight  –             [8, 4, 1, 1]',
      '  bn1.running_var               –             [4]',
      '  layer5.0.conv1.weight         [4, 4, 3, 3]  –',
    ]);
  });

  test('a long list is cut in the message, not in the error', () => {
    const { message, differences } = refusal(resnet, stateDict(convnext));
    const all = timmShapes(resnet).size + timmShapes(convnext).size;
    expect(differences).toHaveLength(all);
    expect(message.split('\n')).toHaveLength(43);
    expect(message).toMatch(new RegExp(`… and ${all - 40} more$`));
  });

  test('a head for other classes is an error, and said to be all that differs', () => {
    const { message, headOnly, differences } = refusal(
      convnext,
      stateDict(defineModel({ ...convnext.config, classes: 1000 })),
    );
    expect(headOnly).toBe(true);
    expect(message).toMatch(/head\.fc\.weight +\[1000, 64\] +\[3, 64\]/);
    expect(differences).toHaveLength(2);
  });

  test('a norm whose name has “head” in it is the backbone’s', () => {
    const tensors = without(stateDict(convnext), 'head.norm.weight', 'head.fc.weight');
    for (const options of [keep, reset]) {
      const { differences, headOnly } = refusal(convnext, new Map(tensors), options);
      expect(differences).toContainEqual(
        expect.objectContaining({ name: 'head.norm.weight', kind: 'missing', part: 'backbone' }),
      );
      expect(headOnly).toBe(false);
    }
  });
});

describe('a head that is reset', () => {
  const fresh = initialParameters(convnext, 5);

  test('is a fresh model’s, also where the old one would fit, and the last norm stays', () => {
    const tensors = stateDict(convnext);
    const { parameters, notes } = fitWeights(convnext, tensors, reset);
    expect(parameters.get('head.fc.weight')).toEqual(fresh.get('head.fc.weight'));
    expect(parameters.get('head.norm.weight')).toEqual(tensors.get('head.norm.weight')?.data);
    expect(notes).toEqual([
      'the head starts afresh (head.fc.weight, head.fc.bias); not used of the file: head.fc.weight, head.fc.bias.',
    ]);
  });

  test('need not be in the file', () => {
    const tensors = without(stateDict(convnext), 'head.fc.weight', 'head.fc.bias');
    expect(refusal(convnext, tensors).headOnly).toBe(true);
    const { notes } = fitWeights(convnext, tensors, reset);
    expect(notes).toEqual(['the head starts afresh (head.fc.weight, head.fc.bias); the file has none.']);
  });

  /** Of a size that costs no time. */
  const small = (name: string): HeadChoice =>
    ({
      ml_decoder: { name, queries: 5, width: 32, heads: 4, feedForward: 48 },
      projection: { name, dims: 16 },
    })[name] ?? name;

  test.each(HEADS.flatMap(({ name: from }) => HEADS.map(({ name: to }) => [from, to] as const)))(
    '%s to %s, on both kinds of backbones',
    (from, to) => {
      for (const base of [resnet, convnext]) {
        const file = stateDict(defineModel({ ...base.config, classes: 7, head: small(from) }));
        const definition = defineModel({ ...base.config, head: small(to) });
        const { headOnly, differences } = refusal(definition, file);
        expect(headOnly).toBe(true);
        const { parameters, notes } = fitWeights(definition, file, reset);
        const own = initialParameters(definition, 5);
        for (const { name, group } of definition.parameters) {
          if (group === 'head') expect(parameters.get(name), name).toEqual(own.get(name));
        }
        // whatever is not used is named
        for (const { name, kind } of differences) if (kind !== 'missing') expect(notes[0]).toContain(name);
      }
    },
  );

  test('does not excuse what else differs', () => {
    const { differences } = refusal(
      resnet,
      withTensor(without(stateDict(resnet), 'layer4.0.bn2.bias'), 'neck.weight', 2, 2),
      reset,
    );
    expect(differences.map(({ name }) => name)).toEqual(['layer4.0.bn2.bias', 'neck.weight']);
  });
});

describe('element types', () => {
  test('halves and brain floats are exact, doubles are rounded and that is said', () => {
    const tensors = stateDict(resnet)
      .set('bn1.weight', { dtype: 'F16', shape: [4], data: Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff) })
      .set('bn1.bias', { dtype: 'BF16', shape: [4], data: Uint16Array.of(0x3f80, 0xc020, 0, 0x4049) })
      .set('fc.bias', { dtype: 'F64', shape: [3], data: Float64Array.of(0.1, -1 / 3, 1e-50) });
    const { parameters, notes } = fitWeights(resnet, tensors, keep);
    expect(parameters.get('bn1.weight')).toEqual(Float32Array.of(1, -2, 2 ** -24, 65504));
    expect(parameters.get('bn1.bias')).toEqual(Float32Array.of(1, -2.5, 0, 3.140625));
    expect(parameters.get('fc.bias')).toEqual(Float32Array.of(0.1, -1 / 3, 0));
    expect(notes).toEqual(['1 tensor was float64 and is rounded to float32.']);
  });
});
