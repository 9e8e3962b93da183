import {
  defineModel,
  initialParameters,
  initialStatistics,
  type ModelDefinition,
} from '#src/models/model.js';
import { exportTimm, type ModelWeights } from '#src/models/weights/timm-weights.js';
import type { PytorchModel, PytorchTensor } from '../contenders/pytorch.js';
import type { TensorForm } from '../entrant.js';
import { operandValues, toChannelsFirst } from '../operand-values.js';

/** A network with the weights and the batch that all libraries start from. */
export interface NetworkSizes {
  /** timm's name of the network. */
  readonly arch: string;
  /** torchvision's name of the same network, where it has it. */
  readonly torchvision?: string;
  readonly batch: number;
  /** Pixels a side. */
  readonly image: number;
  readonly classes: number;
  /** How the network begins, for people. */
  readonly stem: string;
}

export const CHANNELS = 3;

export interface NetworkStart {
  readonly definition: ModelDefinition;
  readonly weights: ModelWeights;
  /** [batch, image, image, CHANNELS] */
  readonly images: Float32Array;
  readonly imageForm: TensorForm;
}

export function startOf({ arch, batch, image, classes }: NetworkSizes): NetworkStart {
  const definition = defineModel({ arch, classes, inChannels: CHANNELS, imageSize: [image, image] });
  const imageForm: TensorForm = { shape: [batch, image, image, CHANNELS], layout: 'image' };
  const parameters = initialParameters(definition, 0);
  // A layer scale starts so small that nobody could tell a wrong block from a right one by the loss.
  for (const [name, values] of parameters) if (name.endsWith('.gamma')) values.fill(0.1);
  return {
    definition,
    weights: { parameters, statistics: initialStatistics(definition) },
    images: operandValues(imageForm, 0),
    imageForm,
  };
}

/** What PyTorch is told of a network, but for a batch's targets. */
export function pytorchModel(
  model: string,
  { definition, weights, images, imageForm }: NetworkStart,
): PytorchModel {
  const tensors = exportTimm(definition, weights);
  const named = (specs: readonly { readonly name: string }[]) =>
    new Map(
      specs.flatMap(({ name }): [string, PytorchTensor][] => {
        const tensor = tensors.get(name);
        return tensor?.data instanceof Float32Array
          ? [[name, { shape: tensor.shape, values: tensor.data }]]
          : [];
      }),
    );
  return {
    model,
    parameters: named(definition.parameters),
    statistics: named(definition.statistics),
    batch: [toChannelsFirst(imageForm, images)],
    classes: definition.config.classes,
  };
}
