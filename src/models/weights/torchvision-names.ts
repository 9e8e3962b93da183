import type { SafetensorsTensor } from '../safetensors/safetensors.js';

/**
 * torchvision's ConvNeXts hold the same tensors as timm's under names that count modules, its stages at the odd numbers
 * of `features` and the downsampling between them at the even ones. Its ResNets and DenseNets have timm's names already,
 * but for DenseNets from before PyTorch 0.4, whose layers call `norm1` `norm.1`.
 */

/** Where a name of an old DenseNet has a dot too many. */
const OLD_DENSE_LAYER = /^(features\.denseblock\d+\.denselayer\d+\.(?:norm|conv))\.([12]\.)/;

/** The parts of a block, by their place in torchvision's `block`. */
const BLOCK_PARTS: ReadonlyMap<string, string> = new Map([
  ['0', 'conv_dw'],
  ['2', 'norm'],
  ['3', 'mlp.fc1'],
  ['5', 'mlp.fc2'],
]);

/** The same of the classifier. */
const CLASSIFIER_PARTS: ReadonlyMap<string, string> = new Map([
  ['0', 'norm'],
  ['2', 'fc'],
]);

/**
 * A file's tensors under timm's names, if it is one of torchvision's ConvNeXts or a DenseNet of its older ones; any other
 * file as it is.
 */
export function fromTorchvision(
  tensors: ReadonlyMap<string, SafetensorsTensor>,
): ReadonlyMap<string, SafetensorsTensor> {
  if ([...tensors.keys()].some((name) => OLD_DENSE_LAYER.test(name))) {
    return new Map([...tensors].map(([name, tensor]) => [name.replace(OLD_DENSE_LAYER, '$1$2'), tensor]));
  }
  if (![...tensors.keys()].some((name) => /^features\.\d+\.\d+\.layer_scale$/.test(name))) return tensors;
  return new Map(
    [...tensors].map(([name, tensor]) =>
      // [c, 1, 1] there, [c] in timm
      name.endsWith('.layer_scale')
        ? [timmName(name), { ...tensor, shape: tensor.shape.slice(0, 1) }]
        : [timmName(name), tensor],
    ),
  );
}

/** A name that is none of torchvision's stays as it is, to be reported as unexpected. */
function timmName(name: string): string {
  const [part, index = '', ...rest] = name.split('.');
  if (part === 'classifier') {
    const own = CLASSIFIER_PARTS.get(index);
    return own === undefined ? name : ['head', own, ...rest].join('.');
  }
  if (part !== 'features') return name;
  if (index === '0') return ['stem', ...rest].join('.');
  const stage = `stages.${Math.floor(Number(index) / 2)}`;
  if (Number(index) % 2 === 0) return [stage, 'downsample', ...rest].join('.');
  const [block, member, place = '', ...leaf] = rest;
  const own = member === 'layer_scale' ? 'gamma' : BLOCK_PARTS.get(place);
  return own === undefined ? name : [stage, 'blocks', block, own, ...leaf].join('.');
}
