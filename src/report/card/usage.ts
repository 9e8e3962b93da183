import { unseenOf } from '../../weights/checkpoint.js';
import { block, plain } from '../markdown.js';
import type { CardFacts } from './card-facts.js';
import { timmArguments } from './network.js';

/** How to run it: here, in ONNX Runtime, in PyTorch. */
export function usage({ about }: CardFacts): string {
  const { channels, size } = about.preprocessing;
  const [height, width] = size;
  const onnx = `import json
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession('model.onnx')
classes = json.loads(session.get_modelmeta().custom_metadata_map['classes'])
# images: float32 [n, ${channels}, ${height}, ${width}], prepared as above
logits, features = session.run(['logits', 'features'], {'image': images})
probabilities = 1 / (1 + np.exp(-logits))  # [n, ${about.classes.length}], in the order of classes`;
  return [
    '## Using it',
    'With tailray, which prepares the images itself:',
    block('sh', 'npx tailray predict best.safetensors folder/of/images --out predictions.csv'),
    ...prompted(about),
    'With ONNX Runtime (`export --onnx`); classes, preprocessing and recipe are in the file’s metadata:',
    block('python', onnx),
    ...timm(about),
    `Classes, in the order of the outputs: ${about.classes.map(plain).join(', ')}.`,
  ].join('\n\n');
}

/** A head that compares images with texts can be asked for findings that it was not trained on. */
function prompted(about: CardFacts['about']): string[] {
  const unseen = unseenOf(about);
  if (unseen.length === 0 || !['words', 'fixed'].includes(String(about.model.head.embeddings))) return [];
  return [
    `For findings of which it saw no label (${unseen.map(plain).join(', ')}), by prompts, from its run directory:`,
    block('sh', 'npx tailray zeroshot score . table.csv --out zeroshot.csv'),
  ];
}

function timm(about: CardFacts['about']): string[] {
  const words = timmArguments(about);
  if (words === null) {
    return ['timm has no network of this form; the names of the tensors follow its own all the same.'];
  }
  const text = `import timm
from safetensors.torch import load_file

model = timm.create_model(${words})
model.load_state_dict(load_file('model.safetensors'), strict=True)`;
  return ['With timm (`export --safetensors`, or `best.safetensors` itself):', block('python', text)];
}
