import type { PretrainedConfig } from '../models/weights/timm-config.js';

/** Where weights come from, before they are read: a file on this machine, or a repository on a hub. */
export interface WeightSource {
  /** For messages. */
  readonly place: string;
  /** What is said of the weights beside them, before any of them is read; null where nothing is. */
  config(): Promise<PretrainedConfig | null>;
  /** Path of the file of weights, or of the index of several; on this machine afterwards. */
  file(): Promise<string>;
  /** The same place, so that it means the same from any folder and at any time. */
  pinned(): Promise<string>;
  /** What a person should know about the way here, a sentence each. */
  notes(): Promise<readonly string[]>;
}
