import { expect, test } from 'vitest';
import { defineModel, initialParameters, initialStatistics } from '../../../src/models/model.js';
import { fromCxrLt } from '../../../src/models/weights/cxrlt-names.js';
import { exportTimm, importTimm } from '../../../src/models/weights/timm-weights.js';

const definition = defineModel({
  arch: 'convnextv2_atto',
  classes: 30,
  inChannels: 3,
  width: 8,
  head: 'csra',
});
const own = exportTimm(definition, {
  parameters: initialParameters(definition, 1),
  statistics: initialStatistics(definition),
});

/** The modules of the authors' network beside its backbone. */
const OUTSIDE = /^(bn|head\.(classifier|conv_att))\./;

test('a checkpoint of the challenge’s winner is one of a ConvNeXt V2 with the head csra', () => {
  const theirs = new Map(
    [...own].map(([name, tensor]) => [OUTSIDE.test(name) ? name : `backbone.${name}`, tensor]),
  );
  expect([...theirs.keys()].filter((name) => !name.startsWith('backbone.')).sort()).toEqual([
    'bn.bias',
    'bn.num_batches_tracked',
    'bn.running_mean',
    'bn.running_var',
    'bn.weight',
    'head.classifier.bias',
    'head.classifier.weight',
    'head.conv_att.weight',
  ]);
  expect(importTimm(definition, fromCxrLt(theirs))).toEqual(importTimm(definition, own));
});

test('any other file stays as it is', () => {
  expect(fromCxrLt(own)).toBe(own);
});
