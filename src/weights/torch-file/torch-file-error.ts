import { TailrayError } from '../../engine/errors.js';

/**
 * A file of PyTorch's that gives no tensors: `damaged`, as it contradicts itself or was cut short; or `refused`, as it
 * asks for more than tensors, which may be harmless where PyTorch reads it, but is never done here.
 */
export class TorchFileError extends TailrayError {
  readonly kind: 'damaged' | 'refused';

  constructor(kind: 'damaged' | 'refused', message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
