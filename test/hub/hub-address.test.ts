import { describe, expect, test } from 'vitest';
import { formatHubAddress, isHubAddress, parseHubAddress } from '../../src/hub/hub-address.js';
import { HubError } from '../../src/hub/hub-error.js';
import { hubSettings } from '../../src/hub/hub-settings.js';

const COMMIT = '0123456789abcdef0123456789abcdef01234567';

test.each([
  ['hf-hub:timm/resnet18.a1_in1k', { repo: 'timm/resnet18.a1_in1k', revision: 'main', file: undefined }],
  [`hf-hub:a/b@${COMMIT}`, { repo: 'a/b', revision: COMMIT, file: undefined }],
  [
    'hf-hub:a/b@refs/pr/3:onnx/model.safetensors',
    { repo: 'a/b', revision: 'refs/pr/3', file: 'onnx/model.safetensors' },
  ],
  ['hf-hub:a/b:best.safetensors', { repo: 'a/b', revision: 'main', file: 'best.safetensors' }],
])('%s is read, and written the same', (text, address) => {
  expect(isHubAddress(text)).toBe(true);
  expect(parseHubAddress(text)).toEqual(address);
  expect(formatHubAddress(address)).toBe(text);
});

test.each([
  ...[
    'hf-hub:',
    'hf-hub:resnet18',
    'hf-hub:a/b/c',
    'hf-hub:../b',
    'hf-hub:a/..',
    'hf-hub:a/b@',
    'hf-hub:a/b:',
    'hf-hub:a /b',
  ],
  ...[
    'hf-hub:a/b@../main',
    'hf-hub:a/b:../x.safetensors',
    'hf-hub:a/b:/etc/passwd',
    'hf-hub:a/b:x\\y',
    'hf-hub:a/b@x//y',
  ],
])('%s is refused', (text) => {
  expect(() => parseHubAddress(text)).toThrow(HubError);
  expect(() => parseHubAddress(text)).toThrow(text);
});

test('anything else is a path', () => {
  for (const path of ['model.safetensors', '/hf-hub:a/b', './hf-hub:x', 'C:\\w.safetensors']) {
    expect(isHubAddress(path)).toBe(false);
  }
});

describe('settings', () => {
  test('are those of Hugging Face’s libraries', () => {
    expect(hubSettings({}, {})).toEqual({
      endpoint: 'https://huggingface.co',
      token: undefined,
      offline: false,
    });
    const environment = {
      HF_ENDPOINT: 'https://mirror.hospital/hf/',
      HF_TOKEN: 'hf_x\n',
      HF_HUB_OFFLINE: 'yes',
    };
    expect(hubSettings({}, environment)).toEqual({
      endpoint: 'https://mirror.hospital/hf',
      token: 'hf_x',
      offline: true,
    });
    expect(hubSettings({ offline: false }, environment).offline).toBe(false);
    expect(hubSettings({}, { HF_HUB_OFFLINE: '0', HF_TOKEN: '', HF_ENDPOINT: '' }).offline).toBe(false);
  });

  test.each(['mirror', 'ftp://mirror', 'mirror.hospital:8080'])('HF_ENDPOINT=%s is refused', (endpoint) => {
    expect(() => hubSettings({}, { HF_ENDPOINT: endpoint })).toThrow(
      /HF_ENDPOINT is .*expected the address of a hub/,
    );
  });
});
