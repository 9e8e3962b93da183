import { describe, expect, test } from 'vitest';
import { initialParameters, initialStatistics, type ModelDefinition } from '../../../src/models/model.js';
import { toFloat32 } from '../../../src/models/safetensors/safetensors.js';
import { resamplePositions } from '../../../src/models/weights/positions.js';
import { exportTimm } from '../../../src/models/weights/timm-weights.js';
import { parseRecipe } from '../../../src/recipe/recipe.js';
import { weightsForStage } from '../../../src/train/run/stage-weights.js';
import { modelOf } from '../../../src/train/step/trainer.js';

/** What a stage takes over from a stage with another head, other classes, images of another size. */

const network = (model: string, size: number, classes: number, channels = 1): ModelDefinition =>
  modelOf(
    parseRecipe(`model: ${model}\npreprocessing: {size: [${size}, ${size}], channels: ${channels}}`, {
      path: 'a.yaml',
    }),
    classes,
  );

/** Weights that no initialisation gives. */
function trained(definition: ModelDefinition) {
  const shifted = (values: Map<string, Float32Array>) =>
    new Map([...values].map(([name, each]) => [name, each.map((value, i) => value + 1 + (i % 7))]));
  const weights = {
    parameters: shifted(initialParameters(definition, 3)),
    statistics: shifted(initialStatistics(definition)),
  };
  return { definition, weights };
}

const FRESH = { head: 'reset', seed: 5 } as const;

describe('weights of the stage before', () => {
  test('keep the last norm of a ConvNeXt’s backbone, which is called head.norm, under a fresh head', () => {
    const before = trained(network('{arch: convnextv2_atto, width: 4}', 32, 14));
    const next = network('{arch: convnextv2_atto, width: 4, head: csra}', 64, 30);
    const { parameters, statistics, notes } = weightsForStage(next, before, FRESH);
    const drawn = initialParameters(next, FRESH.seed);
    expect(parameters.get('head.norm.weight')).toEqual(before.weights.parameters.get('head.norm.weight'));
    expect([...parameters.keys()]).toContain('head.norm.bias');
    for (const { name, group } of next.parameters) {
      const expected = group === 'head' ? drawn.get(name) : before.weights.parameters.get(name);
      expect(parameters.get(name), name).toEqual(expected);
    }
    const heads = next.parameters.filter(({ group }) => group === 'head').map(({ name }) => name);
    expect(heads).toEqual([
      'bn.weight',
      'bn.bias',
      'head.classifier.weight',
      'head.classifier.bias',
      'head.conv_att.weight',
    ]);
    expect(statistics.get('bn.running_mean')).toEqual(new Float32Array(32));
    expect(notes).toEqual([]);
  });

  test('keep a head of the same classes, and its statistics', () => {
    const definition = network('{arch: resnet10, width: 4, head: csra}', 32, 2);
    const before = trained(definition);
    const next = network('{arch: resnet10, width: 4, head: csra, dropRate: 0.5}', 48, 2);
    const { parameters, statistics } = weightsForStage(next, before, { head: 'keep', seed: 5 });
    expect({ parameters, statistics }).toEqual(before.weights);
  });

  test('get positions for the patches of larger images, as weights of a file do', () => {
    const before = trained(network('{arch: vit_tiny_patch16_224, width: 12}', 64, 3));
    const next = network('{arch: vit_tiny_patch16_224, width: 12}', 96, 2);
    const { parameters, notes } = weightsForStage(next, before, FRESH);
    const given = exportTimm(before.definition, before.weights).get('pos_embed')!;
    const expected = resamplePositions(given, { prefix: 1, rows: 6, columns: 6 })!;
    expect(parameters.get('pos_embed')).toEqual(toFloat32(expected.tensor));
    expect(notes).toEqual(['pos_embed of 4 × 4 patches is resized to 6 × 6.']);
    expect(parameters.get('cls_token')).toEqual(before.weights.parameters.get('cls_token'));
  });

  test('get positions of a grid that is no square, too', () => {
    const wide = (height: number, width: number) =>
      modelOf(
        parseRecipe(
          `model: {arch: vit_tiny_patch16_224, width: 12}\npreprocessing: {size: [${height}, ${width}]}`,
          { path: 'a.yaml' },
        ),
        2,
      );
    const before = trained(wide(32, 64));
    // a picture that is the same everywhere stays so
    const flat = before.weights.parameters.get('pos_embed')!.fill(0.25);
    before.weights.parameters.set('pos_embed', flat);
    const { parameters, notes } = weightsForStage(wide(64, 128), before, { head: 'keep', seed: 5 });
    expect(notes).toEqual(['pos_embed of 2 × 4 patches is resized to 4 × 8.']);
    expect(parameters.get('pos_embed')).toEqual(new Float32Array(12 * 33).fill(0.25));
  });

  test('read grey images where those of the stage before were in colour', () => {
    const before = trained(network('{arch: resnet10, width: 4}', 32, 2, 3));
    const next = network('{arch: resnet10, width: 4}', 32, 2, 1);
    const { parameters, notes } = weightsForStage(next, before, { head: 'keep', seed: 5 });
    const [colour, grey] = [before.weights.parameters.get('conv1.weight')!, parameters.get('conv1.weight')!];
    expect(grey.length * 3).toBe(colour.length);
    expect(notes).toEqual([expect.stringMatching(/^conv1\.weight reads one grey channel/)]);
  });
});
