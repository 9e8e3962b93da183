import { dirname, join } from 'node:path';
import { formatHubAddress, type HubAddress } from '../hub/hub-address.js';
import { HubRepository } from '../hub/hub-repository.js';
import type { HubOptions } from '../hub/hub-settings.js';
import { type PretrainedConfig, parseTimmConfig } from '../models/weights/timm-config.js';
import { readRegularText } from '../storage/regular-file.js';
import { isShardIndex, shardNames } from './sharded-weights.js';
import type { WeightSource } from './weight-source.js';

/** How Hugging Face's libraries call a repository's weights, in their order: one file, or the index of several. */
const USUAL_FILES = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
];

/** Weights in a repository on a hub; what is asked for is in the cache afterwards. */
export class HubWeights implements WeightSource {
  readonly place: string;
  readonly #address: HubAddress;
  readonly #options: HubOptions;
  #opened: Promise<HubRepository> | undefined;

  constructor(address: HubAddress, options: HubOptions) {
    this.place = formatHubAddress(address);
    this.#address = address;
    this.#options = options;
  }

  async config(): Promise<PretrainedConfig | null> {
    const repository = await this.#repository();
    const path = await repository.optional('config.json');
    return path === undefined ? null : parseTimmConfig(await readRegularText(path));
  }

  async file(): Promise<string> {
    const repository = await this.#repository();
    const { file } = this.#address;
    const path = file === undefined ? await this.#usualFile(repository) : await repository.file(file);
    if (!isShardIndex(path)) return path;
    const folder = file === undefined ? '.' : dirname(file);
    for (const shard of shardNames(await readRegularText(path), path))
      await repository.file(join(folder, shard));
    return path;
  }

  async pinned(): Promise<string> {
    const repository = await this.#repository();
    return formatHubAddress({ ...this.#address, revision: await repository.commit() });
  }

  async notes(): Promise<readonly string[]> {
    return (await this.#repository()).notes;
  }

  async #usualFile(repository: HubRepository): Promise<string> {
    for (const name of USUAL_FILES) {
      const path = await repository.optional(name);
      if (path !== undefined) return path;
    }
    // says what there is instead
    return repository.file('model.safetensors');
  }

  #repository(): Promise<HubRepository> {
    this.#opened ??= HubRepository.open(this.#address, this.#options);
    return this.#opened;
  }
}
