import { describe, expect, test } from 'vitest';
import { formatGroups } from '../../../src/cli/text/group-table.js';
import { defineModel } from '../../../src/models/model.js';
import { matchParameters, ParameterPatternError } from '../../../src/recipe/parameter-pattern.js';
import { parseRecipe } from '../../../src/recipe/recipe.js';
import { RecipeError } from '../../../src/recipe/recipe-error.js';
import { adaptersOf, groupParameters } from '../../../src/train/step/parameter-groups.js';
import { readGolden } from '../../golden/golden-files.js';

const resnet = defineModel({ arch: 'resnet18', classes: 5, width: 8 });
const convnext = defineModel({ arch: 'convnextv2_atto', classes: 5, width: 8 });

const optimizer = (text: string) => parseRecipe(`optimizer: ${text}`, { path: 'r.yaml' }).optimizer;

/** [rate, decay] by name; frozen parameters have none. */
function settings(text: string, definition = resnet): Map<string, readonly [number, number]> {
  const { groups } = groupParameters(definition, optimizer(text));
  return new Map(
    groups
      .filter(({ frozen }) => !frozen)
      .flatMap(({ parameters }) => parameters)
      .map((each) => [each.spec.name, [each.learningRateScale, each.weightDecay]]),
  );
}

describe('a pattern', () => {
  const matches = (pattern: string, definition = resnet) =>
    matchParameters(pattern, definition).map(({ name }) => name);

  test.each([
    ['fc', ['fc.weight', 'fc.bias']],
    ['head', ['fc.weight', 'fc.bias']],
    ['fc.bias', ['fc.bias']],
    ['bn1', ['bn1.weight', 'bn1.bias']],
    ['layer3.0.downsample.1', ['layer3.0.downsample.1.weight', 'layer3.0.downsample.1.bias']],
    ['layer4.?.conv2.*', ['layer4.0.conv2.weight', 'layer4.1.conv2.weight']],
    ['*downsample.0.weight', [2, 3, 4].map((stage) => `layer${stage}.0.downsample.0.weight`)],
    ['/^conv1|^fc.*bias$/', ['conv1.weight', 'fc.bias']],
    ['/layer[34].*downsample.0/', ['layer3.0.downsample.0.weight', 'layer4.0.downsample.0.weight']],
  ])('%s', (pattern, names) => {
    expect(matches(pattern)).toEqual(names);
  });

  test('backbone is all but the classifier, a ConvNeXt’s last norm included', () => {
    expect(matches('backbone')).toHaveLength(resnet.parameters.length - 2);
    expect(matches('backbone', convnext)).toContain('head.norm.weight');
    expect(matches('head', convnext)).toEqual(['head.fc.weight', 'head.fc.bias']);
    expect(matches('head.*', convnext)).toEqual([
      'head.norm.weight',
      'head.norm.bias',
      'head.fc.weight',
      'head.fc.bias',
    ]);
  });

  test.each([
    ['layr1.*', /"layr1\.\*" matches no parameter of resnet18; did you mean "layer1"\?/],
    ['layer1.0.bn3', /did you mean "layer1\.0\.bn[12]"\?/],
    ['layer5', /did you mean "layer[1-4]"\?/],
    ['transformer.encoder', /parts are conv1, bn1, layer1, layer2, layer3, layer4, fc\./],
    // a dot is a dot in a glob
    ['layer1.0.conv1xweight', /matches no parameter/],
    ['/(/', /"\/\(\/" is no pattern of names: a "\(" without its "\)"\. A glob does as well/],
    ['/(?=conv)/', /\(\?…\) is not read here/],
    ['*a'.repeat(300), /longer than 500 characters/],
  ])('%s is refused', (pattern, message) => {
    expect(() => matches(pattern)).toThrow(ParameterPatternError);
    expect(() => matches(pattern)).toThrow(message);
  });
});

describe('groups of a recipe', () => {
  test('by default all learn alike, and norms and biases do not decay', () => {
    const found = settings('{weightDecay: 0.05}');
    for (const { name, shape } of resnet.parameters) {
      expect(found.get(name), name).toEqual([1, shape.length > 1 ? 0.05 : 0]);
    }
    expect(settings('{weightDecay: 0.05, decayNormsAndBiases: true}').get('bn1.bias')).toEqual([1, 0.05]);
  });

  test('the short form says factors, or more, of backbone and head', () => {
    const found = settings(
      '{groups: {backbone: {lrScale: 0.1, weightDecay: 0.01}, head: 2}, weightDecay: 0.05}',
    );
    expect(found.get('conv1.weight')).toEqual([0.1, 0.01]);
    expect(found.get('bn1.weight')).toEqual([0.1, 0]);
    expect(found.get('fc.weight')).toEqual([2, 0.05]);
    expect(settings('{groups: {backbone: 0.5}}').get('conv1.weight')).toEqual([0.5, 0.01]);
  });

  test('the first group that matches counts; the rest are as the optimizer says', () => {
    const found = settings(`{weightDecay: 0.05, groups: [
      {match: layer4.1, lrScale: 0.5}, {match: [layer4, layer3.*], lrScale: 0.25, weightDecay: 0}, {match: conv1, freeze: true}]}`);
    expect(found.get('layer4.1.conv1.weight')).toEqual([0.5, 0.05]);
    expect(found.get('layer4.0.conv1.weight')).toEqual([0.25, 0]);
    expect(found.get('layer3.1.conv2.weight')).toEqual([0.25, 0]);
    expect(found.get('layer2.0.conv1.weight')).toEqual([1, 0.05]);
    expect(found.has('conv1.weight')).toBe(false);
    expect(found.size).toBe(resnet.parameters.length - 1);
  });

  test('one decay rule is for every trained parameter, and none for a frozen one', () => {
    const { decayRules, trained, frozen } = groupParameters(
      convnext,
      optimizer('{layerDecay: 0.7, groups: [{match: stem, freeze: true}, {match: head, lrScale: 10}]}'),
    );
    for (const { name } of trained) expect(decayRules.filter(({ matches }) => matches(name))).toHaveLength(1);
    for (const { name } of frozen) expect(decayRules.filter(({ matches }) => matches(name))).toHaveLength(0);
    expect(frozen.map(({ name }) => name)).toEqual([
      'stem.0.weight',
      'stem.0.bias',
      'stem.1.weight',
      'stem.1.bias',
    ]);
  });

  test('frozen norms hold their statistics, unless the recipe says otherwise or they learn in part', () => {
    const statistics = (text: string) =>
      groupParameters(resnet, optimizer(text)).held.map(({ name }) => name.replace(/\.running.*/, ''));
    const frozen = 'groups: [{match: [conv1, bn1, layer1.0.bn1.weight, /layer4.*downsample/], freeze: true}]';
    expect([...new Set(statistics(`{${frozen}}`))]).toEqual(['bn1', 'layer4.0.downsample.1']);
    expect(statistics(`{${frozen}, freezeNorms: false}`)).toEqual([]);
    expect(statistics('{}')).toEqual([]);
  });

  test.each([
    ['{groups: [{match: layr1}]}', /optimizer\.groups\.0\.match: "layr1" matches no/],
    ['{groups: [{match: "*"}, {match: fc}]}', /groups\.1: all that "fc" matches belongs to earlier groups/],
    ['{groups: {backbone: {freeze: true}, head: {freeze: true}}}', /nothing to train/],
  ])('%s is refused', (text, message) => {
    expect(() => settings(text)).toThrow(message);
  });

  test.each([
    ['{groups: [{mach: fc}]}', /optimizer\.groups\.0/],
    ['{groups: [{match: fc, lrScale: -1}]}', /lrScale: .*>=0/],
    ['{groups: {backbon: 1}}', /did you mean "backbone"\?/],
    ['{layerDecay: 1.5}', /layerDecay: .*<=1/],
    ['{layerDecay: 0}', /layerDecay: .*>0/],
    ['{groups: [{match: fc, lora: {rank: 0}}]}', /groups\.0\.lora\.rank: .*>=1/],
    ['{groups: [{match: fc, lora: {rang: 8}}]}', /lora\.rang.* did you mean "rank"\?/],
    ['{groups: [{match: fc, lora: {}, freeze: true}]}', /groups\.0\.freeze: lora keeps.*leave freeze out/],
    ['{groups: {head: {lora: {}, freeze: true}}}', /groups\.head\.freeze: lora keeps.*leave freeze out/],
  ])('a recipe with %s is refused', (text, message) => {
    expect(() => optimizer(text)).toThrow(RecipeError);
    expect(() => optimizer(text)).toThrow(message);
  });
});

describe('groups with LoRA', () => {
  const vit = defineModel({ arch: 'vit_tiny_patch16_224', classes: 5, width: 24, imageSize: [32, 32] });
  const adapted = (text: string) => {
    const settingsOf = optimizer(text);
    const adapters = adaptersOf(vit, settingsOf);
    return { adapters, grouped: groupParameters(defineModel(vit.config, { adapters }), settingsOf) };
  };

  test('freeze all that they match, and train adapters beside its linear layers by their rate, decay and layer', () => {
    const { adapters, grouped } = adapted(`{weightDecay: 0.05, layerDecay: 0.5, groups: [
      {match: "blocks.*.attn.qkv.weight", lora: {rank: 4}, lrScale: 2, weightDecay: 0.1},
      {match: [blocks.3, norm], lora: {rank: 2, alpha: 1}}, {match: backbone, freeze: true}]}`);
    const first = adapters.get('blocks.0.attn.qkv.weight');
    expect([first, adapters.get('blocks.3.mlp.fc1.weight')]).toEqual([
      { rank: 4, alpha: 16 },
      { rank: 2, alpha: 1 },
    ]);
    // each queries' layer, and the other three of one block
    expect(adapters.size).toBe(12 + 3);
    expect(
      grouped.trained.map(({ name }) => name).filter((name) => !/lora_[AB]\.weight$/.test(name)),
    ).toEqual(['head.weight', 'head.bias']);
    const found = new Map(
      grouped.groups.flatMap(({ parameters }) => parameters).map((each) => [each.spec.name, each]),
    );
    // the head is layer 13, the first block 1
    expect(found.get('blocks.0.attn.qkv.lora_A.weight')).toMatchObject({
      learningRateScale: 2 * 0.5 ** 12,
      weightDecay: 0.1,
    });
    expect(found.get('blocks.3.attn.proj.lora_B.weight')).toMatchObject({
      learningRateScale: 0.5 ** 9,
      weightDecay: 0.05,
    });
  });

  test('name parameters of the network, never adapters', () => {
    const { grouped } = adapted('{groups: [{match: blocks.0, lora: {}}, {match: "*", freeze: true}]}');
    expect(grouped.trained.map(({ name }) => name)).toHaveLength(4 * 2);
    expect(() => adapted('{groups: [{match: blocks.0, lora: {}}, {match: "*lora_A*"}]}')).toThrow(
      /matches no parameter/,
    );
  });

  test('are refused where nothing that they match is a linear layer', () => {
    expect(() => adapted('{groups: [{match: [norm, patch_embed], lora: {}}]}')).toThrow(
      'optimizer.groups: lora at "norm, patch_embed", where vit_tiny_patch16_224 has no linear layer; match some of its ' +
        'weights: blocks.*.attn.qkv.weight, blocks.*.attn.proj.weight, blocks.*.mlp.fc1.weight, ' +
        'blocks.*.mlp.fc2.weight, head.weight. Only linear layers get adapters.',
    );
    expect(() => adaptersOf(resnet, optimizer('{groups: {backbone: {lora: {}}}}'))).toThrow(
      /some of its weights: fc\.weight\./,
    );
  });

  test('have a line for the weights that rest, and one for what learns beside them', () => {
    const { grouped } = adapted('{groups: [{match: backbone, lora: {rank: 8, alpha: 16}, lrScale: 0.5}]}');
    const lines = formatGroups(grouped).map((line) => line.trim().split(/ {2,}/));
    expect(lines).toEqual([
      ['group', 'parameters', 'share', 'rate', 'weight decay'],
      ['backbone', expect.stringMatching(/^9\d,\d{3}$/), expect.any(String), 'frozen', '–'],
      ['LoRA of rank 8, alpha 16', '36,864', expect.any(String), '×0.5', '0.01'],
      ['others', '125', '0.1 %', '×1', '0.01, norms and biases 0'],
    ]);
  });
});

describe('layer-wise decay is timm’s', () => {
  type Settings = Record<string, readonly [rate: number, decay: number]>;
  const timm = readGolden<{ architectures: Record<string, Settings> }>('timm-groups.json.gz');

  test.each(Object.entries(timm.architectures))(
    '%s: rate and weight decay of every parameter',
    (arch, expected) => {
      const found = settings('{weightDecay: 0.05, layerDecay: 0.8}', defineModel({ arch, classes: 1000 }));
      expect([...found.keys()].sort()).toEqual(Object.keys(expected).sort());
      for (const [name, [rate, decay]] of Object.entries(expected)) {
        expect(found.get(name)?.[0], name).toBeCloseTo(rate, 10);
        expect(found.get(name)?.[1], name).toBe(decay);
      }
    },
  );

  test('a group’s factor multiplies it', () => {
    const found = settings('{layerDecay: 0.5, groups: {backbone: 0.1, head: 3}}');
    expect(found.get('fc.weight')?.[0]).toBe(3);
    expect(found.get('layer4.1.conv1.weight')?.[0]).toBeCloseTo(0.05, 12);
    expect(found.get('conv1.weight')?.[0]).toBeCloseTo(0.1 * 0.5 ** 9, 12);
  });
});

describe('the table of groups', () => {
  const table = (text: string) => formatGroups(groupParameters(resnet, optimizer(text)));

  test('is left out where all parameters are alike', () => {
    expect(table('{}')).toEqual([]);
  });

  test('has a line a group: parameters, rates, decay, or that it is frozen', () => {
    const lines = table(
      '{layerDecay: 0.5, groups: [{match: [conv1, bn1], freeze: true}, {match: head, lrScale: 10}]}',
    );
    expect(lines.map((line) => line.split(/ {2,}/))).toEqual([
      ['group', 'parameters', 'share', 'rate', 'weight decay'],
      ['conv1, bn1', '408', '0.2 %', 'frozen', '–'],
      ['head', '325', '0.2 %', '×10', '0.01, norms and biases 0'],
      [
        'others',
        expect.stringMatching(/^1\d\d,\d{3}$/),
        '99.6 %',
        '×0.00391 … ×0.5',
        '0.01, norms and biases 0',
      ],
    ]);
  });
});
