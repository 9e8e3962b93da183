import { defineModel, parameterCount } from '../../models/model.js';
import { count } from '../../text/numbers.js';
import { type CheckpointAbout, networkOf } from '../../weights/checkpoint.js';
import { code } from '../markdown.js';
import type { CardFacts } from './card-facts.js';

/** The network, in the field's words. */

/** `resnet18` of timm (11,183,694 parameters), for grey images of 224 × 224 pixels */
export function describeNetwork({ about, parameters }: Pick<CardFacts, 'about' | 'parameters'>): string {
  const { model, preprocessing } = about;
  const changes = changesFromPublished(model);
  const [height, width] = preprocessing.size;
  const traits = [...changes, `${count(parameters)} parameters`].join(', ');
  const colour = preprocessing.channels === 1 ? 'grey images' : 'grey images in three channels';
  return `${code(model.arch)} (${traits}) for ${colour} of ${height} × ${width} pixels`;
}

/** The arguments for `timm.create_model`; null for a network that timm doesn't have. */
export function timmArguments({ model, preprocessing }: CheckpointAbout): string | null {
  if (NOT_TIMM.has(model.arch) || changesFromPublished(model).length > 0) return null;
  const size = ofPublishedSize({ model, preprocessing })
    ? ''
    : `, img_size=(${preprocessing.size.join(', ')})`;
  return `'${model.arch}', num_classes=${model.classes}, in_chans=${model.inChannels}${size}`;
}

/** Whether the network is the same for the images that it was published for: a vision transformer has parameters for each position. */
function ofPublishedSize({
  model,
  preprocessing,
}: Pick<CheckpointAbout, 'model' | 'preprocessing'>): boolean {
  return parameterCount(defineModel(model)) === parameterCount(networkOf({ model, preprocessing }));
}

function changesFromPublished(model: CheckpointAbout['model']): string[] {
  const published = defineModel({ arch: model.arch, classes: model.classes }).config;
  return [
    ...(model.width === published.width ? [] : [`width ${model.width}`]),
    ...(model.stem === published.stem ? [] : [`stem ${model.stem}`]),
    ...(model.head.name === 'linear' ? [] : [`head ${describeHead(model.head)}`]),
  ];
}

/** `csra (lambda 0.1)` */
function describeHead({ name, ...options }: CheckpointAbout['model']['head']): string {
  const settings = Object.entries(options).map(([key, value]) => `${key} ${value}`);
  return settings.length === 0 ? name : `${name} (${settings.join(', ')})`;
}

/** Names of ours that timm lacks (test/models/weights/timm-shapes.test.ts holds all others to its tensors). */
const NOT_TIMM = new Set(['resnet10']);
