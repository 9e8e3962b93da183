import type { ModelConfig } from '../../src/models/model.js';

/** Full depth; so narrow, and for a transformer with so few positions, that all architectures take seconds. */
export function narrow(arch: string): Pick<ModelConfig, 'arch' | 'width' | 'imageSize'> {
  if (!arch.startsWith('vit')) return { arch, width: 8 };
  return { arch, width: 24, imageSize: arch.includes('patch14') ? [42, 28] : [48, 32] };
}
