import { elementCount, type Shape } from '../../engine/graph/tensor.js';
import type { Unsound } from '../../engine/run/examine.js';
import { count, counted } from '../../text/numbers.js';

/**
 * Where a step stopped being finite, in words. The first tensor that is not finite is the origin, as all that it was
 * computed from was looked at before it.
 */

/** For `Unsound.place` in images or labels: what the person knows them by. */
export interface BatchNames {
  /** Of the images of the step, in their order. */
  readonly images: readonly string[];
  readonly classes: readonly string[];
}

export interface Origin {
  /** A lower learning rate makes no batch finite. */
  readonly inData: boolean;
  /** A sentence. */
  readonly text: string;
}

export function describeOrigin(unsound: Unsound, names: BatchNames): Origin {
  const { place, tensor } = unsound;
  const values = describeValues(unsound);
  switch (place.kind) {
    case 'input': {
      const image = names.images[Math.floor(unsound.first / elementCount(tensor.shape.slice(1)))];
      const named = image === undefined ? '' : `: image ${image}`;
      if (place.name !== 'targets') {
        return {
          inData: true,
          text: `The data are the origin: ${place.name} of the batch ${values}${named}.`,
        };
      }
      const label = names.classes[unsound.first % names.classes.length];
      const of = label === undefined ? '' : `, class "${label}"`;
      return {
        inData: true,
        text: `The labels are the origin: those of the batch ${have(values)}${named}${of}.`,
      };
    }
    case 'variable':
      return {
        inData: false,
        text: `${begin(describeVariable(place))} is the origin: before any computation it ${values}.`,
      };
    case 'op': {
      const what = place.variable
        ? `${describeVariable(place.variable)}, as ${place.op} left it,`
        : `the output of ${place.op} [${tensor.shape.join(', ')}]${withOperands(place.reads)}`;
      return {
        inData: false,
        text: `The first tensor that is not finite: ${scopeOf(place)}${what} ${values}. The parameters, images and labels behind it are finite.`,
      };
    }
  }
}

/** `has 12 of 4,096 values that are not finite (12 NaN), the first at [0, 3]` */
function describeValues({ tensor: { shape }, nan, infinite, first }: Unsound): string {
  const [bad, all] = [nan + infinite, elementCount(shape)];
  const kinds = [
    ...(nan > 0 ? [`${count(nan)} NaN`] : []),
    ...(infinite > 0 ? [`${count(infinite)} infinite`] : []),
  ];
  const are = bad === 1 ? 'that is' : 'that are';
  return (
    `has ${count(bad)} of ${counted(all, 'value')} ${are} not finite (${kinds.join(', ')}), ` +
    `the first at [${indexOf(first, shape).join(', ')}]`
  );
}

function have(values: string): string {
  return values.replace(/^has/, 'have');
}

/** `layer1.0.conv1: `, `gradient of layer1.0.conv1.conv2d: `; nothing for an op outside all scopes. */
function scopeOf({ label, op }: { readonly label: string; readonly op: string }): string {
  // a value that is computed twice to save memory is the same value
  const scopes = label
    .replace(/^again:/, '')
    .split('.')
    .slice(0, -1)
    .join('.');
  if (scopes === '' || label === op) return '';
  return `${scopes.replace(/^grad:/, 'gradient of ')}: `;
}

/** Parameters of an op, which say where it is even if it is the sum of several layers' ops. */
function withOperands(names: readonly string[]): string {
  return names.length === 0 || names.length > 4 ? '' : ` with ${names.join(', ')}`;
}

const ARENAS: Readonly<Record<string, string>> = {
  params: 'the parameter',
  halfParams: 'in half precision, the parameter',
  stats: 'the running statistic',
  average: 'the averaged parameter',
  averageStats: 'the averaged running statistic',
  grads: 'the gradient of',
  observed: 'the batch’s statistic',
  loss: 'what the loss remembers,',
  scaling: 'the loss scale',
};

function describeVariable({ arena, name }: { readonly arena: string; readonly name: string }): string {
  const shard = /^shard:\d+$/.test(name);
  if (shard) return `one of the values in ${arena}`;
  return `${ARENAS[arena] ?? `the optimizer’s ${arena} of`} "${name}"`;
}

function begin(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function indexOf(at: number, shape: Shape): number[] {
  let rest = at;
  return shape
    .toReversed()
    .map((size) => {
      const index = rest % size;
      rest = Math.floor(rest / size);
      return index;
    })
    .toReversed();
}
