import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { clipWeights } from '../../src/models/clip/clip-weights.js';
import { imageTower } from '../../src/models/clip/image-tower.js';
import { textTower } from '../../src/models/clip/text-tower.js';
import { type SafetensorsTensor, writeSafetensors } from '../../src/models/safetensors/safetensors.js';
import { viewsOf } from '../../src/predict/views/views.js';
import { createClip } from '../../src/zeroshot/clip.js';
import { ClipError } from '../../src/zeroshot/clip-error.js';
import { temporaryFolder } from '../data/temporary-folder.js';
import { testDevice } from '../device.js';
import { CLIP_GOLDENS, type ClipGolden } from '../golden/clip-golden.js';
import { relativeError } from '../golden/digest.js';
import { hashPixels, hashTensor } from '../golden/hash-weights.js';
import { openClipMerges } from './clip-vocabulary.js';

const SMALL = CLIP_GOLDENS.small!;

function openClipTensors({ shapes }: ClipGolden): Map<string, SafetensorsTensor> {
  return new Map(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      { dtype: 'F32', shape, data: hashTensor(name, shape) },
    ]),
  );
}

/** The same tensors as Hugging Face has them, written down once more, without our table of names. */
function huggingFaceTensors(golden: ClipGolden): Map<string, SafetensorsTensor> {
  const result = new Map<string, SafetensorsTensor>();
  const part = (tensor: SafetensorsTensor, third: number): SafetensorsTensor => {
    const rows = tensor.shape[0]! / 3;
    const values = (tensor.data as Float32Array).length / 3;
    return {
      dtype: 'F32',
      shape: [rows, ...tensor.shape.slice(1)],
      data: (tensor.data as Float32Array).slice(third * values, (third + 1) * values),
    };
  };
  const turned = ({ shape: [rows, columns], data }: SafetensorsTensor): SafetensorsTensor => ({
    dtype: 'F32',
    shape: [columns!, rows!],
    data: Float32Array.from({ length: rows! * columns! }, (_, i) => {
      const [r, c] = [i % rows!, Math.floor(i / rows!)];
      return (data as Float32Array)[r * columns! + c]!;
    }),
  });
  for (const [name, tensor] of openClipTensors(golden)) {
    if (name === 'visual.proj') result.set('visual_projection.weight', turned(tensor));
    else if (name === 'text_projection') result.set('text_projection.weight', turned(tensor));
    else {
      const tower = name.startsWith('visual.') ? 'vision_model' : 'text_model';
      const own = name
        .replace('visual.', '')
        .replace('transformer.resblocks', 'encoder.layers')
        .replace('ln_1', 'layer_norm1')
        .replace('ln_2', 'layer_norm2')
        .replace('attn.out_proj', 'self_attn.out_proj')
        .replace('c_fc', 'fc1')
        .replace('c_proj', 'fc2')
        .replace('ln_pre', 'pre_layrnorm')
        .replace('ln_post', 'post_layernorm')
        .replace('ln_final', 'final_layer_norm')
        .replace('conv1', 'embeddings.patch_embedding')
        .replace('token_embedding', 'embeddings.token_embedding')
        .replace(/^class_embedding/, 'embeddings.class_embedding')
        .replace(/^positional_embedding/, 'embeddings.position_embedding.weight');
      if (own.includes('in_proj')) {
        for (const [third, letter] of ['q', 'k', 'v'].entries()) {
          result.set(
            `${tower}.${own.replace('attn.in_proj_', `self_attn.${letter}_proj.`)}`,
            part(tensor, third),
          );
        }
      } else result.set(`${tower}.${own}`, tensor);
    }
  }
  const positions = BigInt64Array.from({ length: 11 }, (_, i) => BigInt(i));
  result.set('text_model.embeddings.position_ids', { dtype: 'I64', shape: [1, 11], data: positions });
  return result.set('logit_scale', { dtype: 'F32', shape: [], data: Float32Array.of(2.65) });
}

/** As open_clip writes it. An image that is not square is written [height, width]. */
const OPEN_CLIP_CONFIG = {
  model_cfg: {
    embed_dim: 24,
    quick_gelu: true,
    vision_cfg: {
      image_size: [48, 32],
      layers: 2,
      width: 32,
      head_width: 16,
      mlp_ratio: 2.5,
      patch_size: 16,
    },
    text_cfg: { context_length: 11, vocab_size: 97, width: 40, heads: 5, layers: 2, mlp_ratio: 1.6 },
  },
};

async function write(folder: string, files: Record<string, string | Uint8Array>): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return folder;
}

describe('a CLIP of files', () => {
  test("has PyTorch's embeddings, in batches of any size", async () => {
    const device = await testDevice();
    const weights = await write(await temporaryFolder(), {
      'open_clip_config.json': JSON.stringify(OPEN_CLIP_CONFIG),
      'open_clip_model.safetensors': writeSafetensors(openClipTensors(SMALL)),
    });
    const clip = await createClip(device, { weights, batchSize: 2 });
    const [height, width] = clip.config.image.size;
    const images = await clip.encodeImages(hashPixels([3, height, width], 1));
    expect(relativeError(images, SMALL.grey.flat())).toBeLessThan(1e-4);
    const pixels = hashPixels([3, height, width], 1);
    const mirrored = pixels.map((_, i) => pixels[i + width - 1 - 2 * (i % width)]!);
    const shown = await clip.encodeImages(pixels, viewsOf('flip')[1]);
    expect(relativeError(shown, await clip.encodeImages(mirrored))).toBeLessThan(1e-6);
    expect(relativeError(shown, images)).toBeGreaterThan(1e-3);
    const ends = Uint32Array.from(SMALL.tokens, (row) => row.indexOf(96));
    const texts = await clip.encodeTokens(Uint32Array.from(SMALL.tokens.flat()), ends);
    expect(relativeError(texts, SMALL.texts.flat())).toBeLessThan(1e-4);
    await expect(clip.encodeTexts(['a nodule'])).rejects.toThrow(/no tokenizer lies beside the weights/);
    await expect(clip.encodeImages(new Uint16Array(7))).rejects.toThrow(
      '7 pixels are no whole images of 48 × 32.',
    );
    await expect(clip.encodeImages(new Uint8Array(48 * 32))).rejects.toThrow(
      'pixels of 8 bits, where the preprocessing has 16',
    );
    await expect(clip.encodeTokens(new Uint32Array(11).fill(97), Uint32Array.of(3))).rejects.toThrow(
      /token 97 is none of the 97/,
    );
    await expect(clip.encodeTokens(new Uint32Array(22), Uint32Array.of(10, 11))).rejects.toThrow(
      'text 1 ends at token 11; its tokens are 0 to 10, with an end-of-text token.',
    );
    await clip.destroy();
  });

  test("has PyTorch's embeddings of images of another size", async () => {
    const weights = await write(await temporaryFolder(), {
      'open_clip_config.json': JSON.stringify(OPEN_CLIP_CONFIG),
      'open_clip_model.safetensors': writeSafetensors(openClipTensors(SMALL)),
    });
    const device = await testDevice();
    for (const { size: imageSize, grey } of SMALL.otherSizes!) {
      const clip = await createClip(device, { weights, imageSize });
      expect(clip.preprocessing.size).toEqual([imageSize, imageSize]);
      expect(clip.notes.at(-1)).toBe(
        `positions of 3 × 2 patches are resized to ${imageSize / 16} × ${imageSize / 16}.`,
      );
      const embeddings = await clip.encodeImages(hashPixels([3, imageSize, imageSize], 1));
      expect(relativeError(embeddings, grey.flat())).toBeLessThan(1e-4);
      await clip.destroy();
    }
    await expect(createClip(device, { weights, imageSize: 50 })).rejects.toThrow(
      'image size 50: is no multiple of the patch of 16 pixels; 48 and 64 are.',
    );
  });

  test('with an image tower alone embeds images, and says why no texts', async () => {
    const visual = new Map([...openClipTensors(SMALL)].filter(([name]) => name.startsWith('visual.')));
    const weights = await write(await temporaryFolder(), {
      'open_clip_config.json': JSON.stringify(OPEN_CLIP_CONFIG),
      'model.safetensors': writeSafetensors(visual),
    });
    const clip = await createClip(await testDevice(), { weights });
    const images = await clip.encodeImages(hashPixels([3, 48, 32], 1));
    expect(relativeError(images, SMALL.grey.flat())).toBeLessThan(1e-4);
    expect(() => clip.textSide()).toThrow(/hold an image tower and no text tower/);
    await expect(clip.encodeTexts(['a nodule'])).rejects.toThrow(ClipError);
    await expect(clip.encodeTokens(new Uint32Array(11), Uint32Array.of(3))).rejects.toThrow(ClipError);
    await clip.destroy();
  });

  test("takes Hugging Face's tensors for the same", () => {
    const config = { ...SMALL.config, preprocessing: { mean: [], std: [] } };
    const parameters = [...imageTower(config).parameters, ...textTower(config).parameters];
    const ours = clipWeights(parameters, openClipTensors(SMALL)).parameters;
    const theirs = clipWeights(parameters, huggingFaceTensors(SMALL)).parameters;
    expect([...theirs.keys()]).toEqual([...ours.keys()]);
    for (const [name, values] of ours) expect(theirs.get(name), name).toEqual(values);
  });
});

describe('what is no CLIP is refused', () => {
  const folder = async (files: Record<string, string | Uint8Array>) => write(await temporaryFolder(), files);
  const config = JSON.stringify(OPEN_CLIP_CONFIG);

  test.each([
    ['no folder', async () => '/nowhere/clip', /there is no such file or folder/],
    ['no config', () => folder({ 'model.safetensors': '' }), /no open_clip_config\.json or config\.json/],
    ['no weights', () => folder({ 'open_clip_config.json': config }), /there are no weights; looked for/],
    ['a config that is no JSON', () => folder({ 'config.json': '{' }), /config\.json: is no JSON/],
    [
      'a config of another model',
      () => folder({ 'config.json': JSON.stringify({ model_type: 'bert' }) }),
      /config\.json describes no CLIP: model_type/,
    ],
    [
      'a network that is not built here',
      () =>
        folder({
          'open_clip_config.json': JSON.stringify({
            model_cfg: {
              ...OPEN_CLIP_CONFIG.model_cfg,
              vision_cfg: { ...OPEN_CLIP_CONFIG.model_cfg.vision_cfg, timm_model_name: 'vit_x' },
            },
          }),
        }),
      /vision_cfg\.timm_model_name is "vit_x", and such a network is not built here/,
    ],
    [
      'weights with a part of a text tower',
      () =>
        folder({
          'open_clip_config.json': config,
          'model.safetensors': writeSafetensors(
            new Map([...openClipTensors(SMALL)].filter(([name]) => name !== 'token_embedding.weight')),
          ),
        }),
      /token_embedding\.weight/,
    ],
    [
      'a tokenizer of another model',
      async () =>
        folder({
          'open_clip_config.json': config,
          'model.safetensors': writeSafetensors(openClipTensors(SMALL)),
          'bpe_simple_vocab_16e6.txt.gz': gzipSync(await openClipMerges()),
        }),
      /bpe_simple_vocab_16e6\.txt\.gz: a tokenizer of 49,408 tokens; the model has 97\. It belongs to another model/,
    ],
    [
      'weights of another width',
      () =>
        folder({
          'open_clip_config.json': config.replace('"embed_dim":24', '"embed_dim":25'),
          'model.safetensors': writeSafetensors(openClipTensors(SMALL)),
        }),
      /visual\.proj.*\[32, 24\].*\[32, 25\]/s,
    ],
  ])('%s', async (_, make, message) => {
    await expect(createClip(await testDevice(), { weights: await make() })).rejects.toThrow(message);
  });

  test('neither weights nor a config, or an unknown name', async () => {
    const device = await testDevice();
    await expect(createClip(device, {})).rejects.toThrow(/needs weights, or a config/);
    await expect(createClip(device, { config: 'constructor' })).rejects.toThrow(
      /there is no CLIP "constructor"; there are ViT-B-32/,
    );
  });
});

test.skipIf(!process.env.TAILRAY_LARGE_TESTS)(
  'ViT-L/14 has the embeddings of PyTorch (two minutes and 6 GB: only with TAILRAY_LARGE_TESTS=1)',
  async () => {
    const golden = CLIP_GOLDENS['ViT-L-14']!;
    const weights = await write(await temporaryFolder(), {
      'open_clip_config.json': JSON.stringify({
        model_cfg: {
          embed_dim: 768,
          vision_cfg: { image_size: 224, layers: 24, width: 1024, patch_size: 14 },
          text_cfg: { context_length: 77, vocab_size: 49408, width: 768, heads: 12, layers: 12 },
        },
      }),
      'open_clip_model.safetensors': writeSafetensors(openClipTensors(golden)),
    });
    const clip = await createClip(await testDevice(), { weights, batchSize: 1 });
    const images = await clip.encodeImages(hashPixels([1, 224, 224], 1));
    expect(relativeError(images, golden.grey.flat())).toBeLessThan(1e-4);
    const ends = Uint32Array.from(golden.tokens, (row) => row.indexOf(49407));
    const texts = await clip.encodeTokens(Uint32Array.from(golden.tokens.flat()), ends);
    expect(relativeError(texts, golden.texts.flat())).toBeLessThan(1e-4);
    await clip.destroy();
  },
  900_000,
);
