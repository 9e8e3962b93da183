import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { openClipConfig } from '../../src/models/clip/clip-config.js';
import { imageTower } from '../../src/models/clip/image-tower.js';
import { textTower } from '../../src/models/clip/text-tower.js';
import { initialParameters } from '../../src/models/model.js';
import { writeSafetensors } from '../../src/models/safetensors/safetensors.js';
import { exportTimm } from '../../src/models/weights/timm-weights.js';
import { openClipMerges } from './clip-vocabulary.js';

const CONFIG = {
  model_cfg: {
    embed_dim: 16,
    vision_cfg: { image_size: 32, layers: 1, width: 32, patch_size: 16, head_width: 16 },
    text_cfg: { context_length: 77, vocab_size: 49408, width: 16, heads: 2, layers: 1 },
  },
};

/** Writes a CLIP with CLIP's own vocabulary, small towers and random weights, as open_clip would. */
export async function writeSmallClip(folder: string): Promise<string> {
  const config = openClipConfig(CONFIG);
  const parameters = [...imageTower(config).parameters, ...textTower(config).parameters];
  const values = initialParameters({ parameters }, 1);
  const tensors = exportTimm({ parameters, statistics: [] }, { parameters: values, statistics: new Map() });
  await writeFile(join(folder, 'open_clip_config.json'), JSON.stringify(CONFIG));
  await writeFile(join(folder, 'open_clip_model.safetensors'), writeSafetensors(tensors));
  await writeFile(join(folder, 'bpe_simple_vocab_16e6.txt.gz'), gzipSync(await openClipMerges()));
  return folder;
}
