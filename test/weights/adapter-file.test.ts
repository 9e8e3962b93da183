import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { defineModel, initialParameters } from '../../src/models/model.js';
import {
  readSafetensors,
  type SafetensorsTensor,
  writeSafetensors,
} from '../../src/models/safetensors/safetensors.js';
import { exportTimm } from '../../src/models/weights/timm-weights.js';
import { readAdapters, type TrainedAdapters, writeAdapters } from '../../src/weights/adapter-file.js';
import { type CheckpointAbout, writeCheckpoint } from '../../src/weights/checkpoint.js';
import { CheckpointError } from '../../src/weights/checkpoint-error.js';
import { initialWeights } from '../../src/weights/initial-weights.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { hashUniform } from '../golden/hash-weights.js';

const definition = defineModel({ arch: 'vit_tiny_patch16_224', width: 12, classes: 3, imageSize: [32, 32] });
const start = { weightsHead: 'keep', seed: 5 } as const;
const base = exportTimm(definition, { parameters: initialParameters(definition, 5), statistics: new Map() });

const QKV = 'blocks.1.attn.qkv';
const FC1 = 'blocks.2.mlp.fc1';
const tensor = (name: string, shape: readonly number[]): [string, SafetensorsTensor] => [
  `base_model.model.${name}`,
  {
    dtype: 'F32',
    shape,
    data: hashUniform(
      name,
      shape.reduce((a, b) => a * b),
    ),
  },
];
const ADAPTERS = [
  tensor(`${QKV}.lora_A.weight`, [4, 12]),
  tensor(`${QKV}.lora_B.weight`, [36, 4]),
  tensor(`${FC1}.lora_A.weight`, [2, 12]),
  tensor(`${FC1}.lora_B.weight`, [48, 2]),
];
const CONFIG = {
  peft_type: 'LORA',
  r: 4,
  lora_alpha: 6,
  rank_pattern: { 'mlp.fc1': 2 },
  alpha_pattern: {},
  target_modules: ['attn.qkv', 'mlp.fc1'],
  base_model_name_or_path: 'timm/vit_tiny',
  task_type: null,
};

/** A folder as PEFT writes it. @returns the file of tensors */
async function peftFolder(
  tensors: readonly (readonly [string, SafetensorsTensor])[] = ADAPTERS,
  config: object | string = CONFIG,
): Promise<string> {
  const text = typeof config === 'string' ? config : JSON.stringify(config);
  const folder = await temporaryFolder(text === '' ? {} : { 'adapter_config.json': text });
  const path = join(folder, 'adapter_model.safetensors');
  await writeFile(path, writeSafetensors(tensors, { format: 'pt' }));
  return path;
}

/** The network's tensors once the file is merged, by PyTorch's names and in its layout. */
async function merged(adapters: string) {
  const weights = await initialWeights(definition, { ...start, adapters });
  return { tensors: exportTimm(definition, weights), notes: weights.notes };
}

/** W + scale·B·A, as PyTorch has them. */
function expected(module: string, rank: number, scale: number): Float32Array {
  const w = base.get(`${module}.weight`)!;
  const [outputs, inputs] = w.shape as [number, number];
  const a = hashUniform(`${module}.lora_A.weight`, rank * inputs);
  const b = hashUniform(`${module}.lora_B.weight`, outputs * rank);
  return Float32Array.from(w.data as Float32Array, (value, i) => {
    const [o, c] = [Math.floor(i / inputs), i % inputs];
    let sum = 0;
    for (let k = 0; k < rank; k++) sum += b[o * rank + k]! * a[k * inputs + c]!;
    return value + scale * sum;
  });
}

function expectClose(actual: SafetensorsTensor | undefined, values: Float32Array): void {
  const data = actual!.data as Float32Array;
  expect(data).toHaveLength(values.length);
  expect(Math.max(...data.map((value, i) => Math.abs(value - values[i]!)))).toBeLessThan(1e-6);
}

describe('a file of PEFT’s', () => {
  test('is merged by the rank and scale that its configuration says for each module', async () => {
    const { tensors, notes } = await merged(await peftFolder());
    expectClose(tensors.get(`${QKV}.weight`), expected(QKV, 4, 6 / 4));
    expectClose(tensors.get(`${FC1}.weight`), expected(FC1, 2, 6 / 2));
    for (const [name, { data }] of base) {
      if (![QKV, FC1].some((module) => name === `${module}.weight`)) {
        expect(tensors.get(name)?.data, name).toEqual(data);
      }
    }
    expect(notes.join('\n')).toMatch(/adapters from .*: 2 linear layers with rank 4 and 2, merged/);
    expect(notes.join('\n')).toMatch(/beside is not known but by name \(timm\/vit_tiny\)/);
  });

  test('may scale by the root of the rank, and have an alpha of a module’s own', async () => {
    const config = { ...CONFIG, use_rslora: true, alpha_pattern: { [FC1]: 3 } };
    const { tensors } = await merged(await peftFolder(ADAPTERS, config));
    expectClose(tensors.get(`${QKV}.weight`), expected(QKV, 4, 6 / Math.sqrt(4)));
    expectClose(tensors.get(`${FC1}.weight`), expected(FC1, 2, 3 / Math.sqrt(2)));
  });

  test('may hold modules that were trained as a whole, and biases of adapted layers', async () => {
    const others = [
      tensor('head.weight', [3, 12]),
      tensor('head.modules_to_save.default.bias', [3]),
      tensor(`${QKV}.base_layer.bias`, [36]),
    ];
    const { tensors, notes } = await merged(await peftFolder([...ADAPTERS, ...others]));
    expect(tensors.get('head.weight')?.data).toEqual(others[0]![1].data);
    expect(tensors.get('head.bias')?.data).toEqual(others[1]![1].data);
    expect(tensors.get(`${QKV}.bias`)?.data).toEqual(others[2]![1].data);
    expect(notes.join('\n')).toContain(`; ${QKV}.bias, head.weight, head.bias are the file's, too.`);
  });

  const [a, b] = ADAPTERS as [(typeof ADAPTERS)[0], (typeof ADAPTERS)[0]];
  test.each([
    ['no configuration', ADAPTERS, '', 'foreign', /has no adapter_config\.json beside it.*put it there/],
    [
      'another method',
      ADAPTERS,
      { ...CONFIG, peft_type: 'IA3' },
      'foreign',
      /is no configuration of LoRA \(peft_type/,
    ],
    ['broken JSON', ADAPTERS, '{"r": ', 'foreign', /is no configuration of LoRA/],
    ['DoRA', ADAPTERS, { ...CONFIG, use_dora: true }, 'foreign', /says use_dora/],
    [
      'a changed base',
      ADAPTERS,
      { ...CONFIG, init_lora_weights: 'pissa_niter_4' },
      'foreign',
      /changed the base weights: convert/,
    ],
    [
      'patterns',
      ADAPTERS,
      { ...CONFIG, rank_pattern: { '^mlp.*': 2 } },
      'foreign',
      /the pattern "\^mlp\.\*"/,
    ],
    [
      'whole weights',
      [tensor('head.weight', [3, 12])],
      CONFIG,
      'foreign',
      /holds no LoRA adapters.*model\.weights/,
    ],
    [
      'another rank',
      ADAPTERS,
      { ...CONFIG, rank_pattern: {} },
      'mismatch',
      /mlp\.fc1\.lora_A\.weight +\[2, 12\] +\[4, 12\]/,
    ],
    ['one factor alone', [a], CONFIG, 'mismatch', /attn\.qkv\.lora_B\.weight +– +\[36, 4\]/],
    [
      'an unknown module',
      [...ADAPTERS, tensor('blocks.1.attn.q_proj.lora_A.weight', [4, 12])],
      CONFIG,
      'mismatch',
      /q_proj\.lora_A\.weight +\[4, 12\] +–[\s\S]*must stand beside linear layers/,
    ],
    [
      'a convolution',
      [
        a,
        b,
        tensor('patch_embed.proj.lora_A.weight', [4, 1, 16, 16]),
        tensor('patch_embed.proj.lora_B.weight', [12, 4, 1, 1]),
      ],
      CONFIG,
      'mismatch',
      /patch_embed\.proj\.lora_A\.weight +\[4, 1, 16, 16\] +–/,
    ],
    [
      'a head for other classes',
      [...ADAPTERS, tensor('head.weight', [9, 12])],
      CONFIG,
      'mismatch',
      /head\.weight +\[9, 12\] +\[3, 12\]/,
    ],
  ] as const)('with %s is refused', async (_, tensors, config, kind, message) => {
    const refused = merged(await peftFolder(tensors, config));
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toBeInstanceOf(CheckpointError);
    await expect(refused).rejects.toMatchObject({ kind });
  });

  test('that is not there is missing', async () => {
    await expect(merged('/nowhere/adapter_model.safetensors')).rejects.toMatchObject({ kind: 'missing' });
  });
});

describe('a file of a run', () => {
  const lora = new Map([
    [`${QKV}.weight`, { rank: 4, alpha: 6 }],
    [`${FC1}.weight`, { rank: 2, alpha: 5 }],
  ]);
  const adapted = defineModel(definition.config, { adapters: lora });
  const parameters = new Map([
    ...initialParameters(adapted, 5),
    ...adapted.parameters
      .filter(({ adapts, group }) => adapts || group === 'head')
      .map(
        ({ name, shape }) =>
          [
            name,
            hashUniform(
              name,
              shape.reduce((x, y) => x * y),
            ),
          ] as const,
      ),
  ]);
  const isChanged = ({ adapts, group }: (typeof adapted.parameters)[0]) =>
    adapts !== undefined || group === 'head';
  const trained: TrainedAdapters = {
    changed: { parameters: adapted.parameters.filter(isChanged), statistics: [] },
    kept: { parameters: adapted.parameters.filter((spec) => !isChanged(spec)), statistics: [] },
    weights: { parameters, statistics: new Map() },
  };
  const about: CheckpointAbout = {
    model: { ...definition.config, head: { name: 'linear' } },
    classes: ['a', 'b', 'c'],
    preprocessing: {
      size: [32, 32],
      channels: 1,
      mean: [0],
      std: [1],
    } as unknown as CheckpointAbout['preprocessing'],
    weights: 'raw',
    epoch: 1,
    step: 4,
    metrics: { mAP: null, auroc: null },
    prevalence: [null, null, null],
    recipe: {},
    tailray: '0.0.0',
  };

  async function written(): Promise<string> {
    const path = join(await temporaryFolder(), 'best.adapters.safetensors');
    await writeAdapters(path, about, trained);
    return path;
  }

  test('has PEFT’s names and configuration, and nothing that was not trained', async () => {
    const { tensors, metadata } = readSafetensors(await readFile(await written()));
    const names = [QKV, FC1].flatMap((module) =>
      ['A', 'B'].map((letter) => `${module}.lora_${letter}.weight`),
    );
    expect([...tensors.keys()].sort()).toEqual(
      [...names, 'head.weight', 'head.bias'].map((name) => `base_model.model.${name}`).sort(),
    );
    expect(tensors.get(`base_model.model.${QKV}.lora_B.weight`)?.shape).toEqual([36, 4]);
    expect(JSON.parse(metadata.adapterConfig!)).toMatchObject({
      peft_type: 'LORA',
      r: 4,
      lora_alpha: 6,
      rank_pattern: { [FC1]: 2 },
      alpha_pattern: { [FC1]: 5 },
      target_modules: [QKV, FC1],
      modules_to_save: ['head'],
    });
    expect(metadata.base).toMatch(/^[0-9a-f]{64}$/);
  });

  test('is the same for PEFT’s reader: its tensors, and its configuration beside them', async () => {
    const own = await written();
    const { tensors, metadata } = readSafetensors(await readFile(own));
    const ours = await merged(own);
    const theirs = await merged(await peftFolder([...tensors], metadata.adapterConfig));
    expect(theirs.tensors).toEqual(ours.tensors);
    expect(ours.notes).toHaveLength(1);
    expect((await readAdapters(own)).pretraining?.architecture).toBe('vit_tiny_patch16_224');
  });

  test('knows its base weights, whatever the head that it replaces', async () => {
    const adapters = await written();
    const other = initialWeights(definition, { ...start, seed: 6, adapters });
    await expect(other).rejects.toThrow(/were trained beside other weights than these/);
    await expect(other).rejects.toMatchObject({ kind: 'mismatch' });
    const folder = await temporaryFolder();
    const weights = join(folder, 'base.safetensors');
    const backbone = [...base].filter(([name]) => !name.startsWith('head.'));
    await writeFile(weights, writeSafetensors(backbone));
    const fresh = await initialWeights(definition, { weights, weightsHead: 'reset', seed: 99, adapters });
    expect(exportTimm(definition, fresh)).toEqual((await merged(adapters)).tensors);
    // positions are resized to the images, and do not count
    const wide = defineModel({ ...definition.config, imageSize: [32, 48] });
    const resized = await initialWeights(wide, { weights, weightsHead: 'reset', seed: 1, adapters });
    expect(resized.notes.join('\n')).toMatch(/resized to 2 × 3/);
  });

  test('of another architecture, damaged, or a whole checkpoint is refused', async () => {
    const adapters = await written();
    const other = defineModel({ ...definition.config, arch: 'vit_small_patch16_224' });
    await expect(initialWeights(other, { ...start, adapters })).rejects.toThrow(
      /has weights of vit_tiny_patch16_224, the model is a vit_small/,
    );
    const bytes = await readFile(adapters);
    bytes[bytes.length - 3]! ^= 1;
    await writeFile(adapters, bytes);
    await expect(merged(adapters)).rejects.toMatchObject({ kind: 'damaged' });
    await writeCheckpoint(adapters, { ...about, tensors: base });
    await expect(merged(adapters)).rejects.toThrow(/holds no LoRA adapters/);
  });
});
