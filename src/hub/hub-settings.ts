import { HubError } from './hub-error.js';

/**
 * How a hub is reached: Hugging Face's own variables, so that whoever has set up a mirror, a token or a cache for Python
 * has set it up for this, too. Folders are the client's business (HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME).
 */
export interface HubOptions {
  /** Use what the cache has and nothing else; default: HF_HUB_OFFLINE. */
  readonly offline?: boolean | undefined;
  /** Called as a file arrives, often. */
  readonly onProgress?: ((progress: HubProgress) => void) | undefined;
}

export interface HubProgress {
  /** Path in the repository. */
  readonly file: string;
  /** Bytes so far, and of the whole file. */
  readonly done: number;
  readonly total: number;
}

export interface HubSettings {
  /** Without a slash at its end: HF_ENDPOINT, a mirror's address, else Hugging Face's. */
  readonly endpoint: string;
  /** HF_TOKEN; never part of a message. */
  readonly token: string | undefined;
  readonly offline: boolean;
}

/** @throws HubError 'address' for an HF_ENDPOINT that is none */
export function hubSettings(
  { offline }: HubOptions = {},
  environment: Readonly<Record<string, string | undefined>> = process.env,
): HubSettings {
  const endpoint = (environment.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');
  if (!/^https?:$/.test(protocolOf(endpoint))) {
    throw new HubError('address', `HF_ENDPOINT is "${endpoint}": expected the address of a hub, https://….`);
  }
  const wish = environment.HF_HUB_OFFLINE ?? '';
  return {
    endpoint,
    token: environment.HF_TOKEN?.trim() || undefined,
    offline: offline ?? /^(1|on|yes|true)$/i.test(wish),
  };
}

function protocolOf(address: string): string {
  return URL.canParse(address) ? new URL(address).protocol : '';
}
