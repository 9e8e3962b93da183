import { describe, expect, test } from 'vitest';
import { HEADS } from '../../../src/models/heads/registry.js';
import { architectures, defineModel } from '../../../src/models/model.js';
import {
  readSafetensors,
  type SafetensorsTensor,
  writeSafetensors,
} from '../../../src/models/safetensors/safetensors.js';
import { exportTimm, importTimm } from '../../../src/models/weights/timm-weights.js';
import { readGolden } from '../../golden/golden-files.js';
import { stateDict } from '../named-tensors.js';
import { narrow } from '../narrow.js';

const bytesOf = ({ data }: SafetensorsTensor) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** Every architecture under its own classifier, and every head on a network of each family. */
const networks = [
  ...architectures().map((arch) => ({ arch, head: 'linear' })),
  ...HEADS.flatMap(({ name: head }) =>
    ['resnet10', 'convnextv2_atto', 'vit_tiny_patch16_224'].map((arch) => ({ arch, head })),
  ),
];

test.each(networks)('$arch with the head $head: in, out, and in again gives the same bytes', (network) => {
  const definition = defineModel({ ...network, ...narrow(network.arch), classes: 3, inChannels: 2 });
  const file = stateDict(definition);
  const written = writeSafetensors(exportTimm(definition, importTimm(definition, file)));
  const { tensors } = readSafetensors(written);
  for (const [name, tensor] of file) {
    const back = tensors.get(name);
    expect([back?.dtype, back?.shape], name).toEqual([tensor.dtype, tensor.shape]);
    expect(bytesOf(back as SafetensorsTensor).equals(bytesOf(tensor)), name).toBe(true);
  }
  const again = writeSafetensors(exportTimm(definition, importTimm(definition, tensors)));
  expect(Buffer.compare(again, written)).toBe(0);
  // nothing of ours goes along but what PyTorch's modules have
  const norms = definition.statistics.filter(({ name }) => name.endsWith('.running_mean'));
  expect(tensors.size).toBe(file.size + norms.length);
});

describe('a file is a whole state dict of timm’s', () => {
  const timm = readGolden<{ architectures: Record<string, Record<string, number[]>> }>('timm-shapes.json.gz');

  test.each(['resnet18', 'resnet50d', 'convnext_atto', 'convnextv2_atto'])('%s', (arch) => {
    const definition = defineModel({ arch, classes: 1000, inChannels: 3 });
    const tensors = exportTimm(definition, importTimm(definition, stateDict(definition)));
    const shapes = timm.architectures[arch] ?? {};
    // the golden file has no counters: a PyTorch batch norm has one wherever it has statistics, an int64 scalar
    const counters = Object.keys(shapes)
      .filter((name) => name.endsWith('running_mean'))
      .map((name) => name.replace('running_mean', 'num_batches_tracked'));
    expect([...tensors.keys()].sort()).toEqual([...Object.keys(shapes), ...counters].sort());
    for (const name of counters) expect(tensors.get(name)).toMatchObject({ dtype: 'I64', shape: [] });
  });
});
