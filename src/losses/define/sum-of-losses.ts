import { z } from 'zod';
import { literal } from '../../kernels/pointwise/expression.js';
import { add, mul } from '../../kernels/pointwise/pointwise-table.js';
import type { BatchLoss, EntryLoss, Loss, LossState, LossValue, ValueAndSlope } from './loss.js';
import { LossError } from './loss-error.js';
import { describeParameters, parseParameters } from './loss-parameters.js';
import { BEGINNING, referenceLoss } from './reference-loss.js';
import { traceBoundLoss } from './trace-bound-loss.js';

/** The name of the loss that others are parts of. */
export const SUM = 'sum';

const parameters = z.strictObject({
  sum: z
    .array(
      z.looseObject({
        name: z.string(),
        weight: z.number().positive().max(1e6).default(1),
      }),
    )
    .min(1)
    .describe('the parts: each with its name, weight (1 where left out) and own parameters'),
});

/**
 * A weighted sum of losses. Its parts of single entries are one loss of single entries: one formula, one kernel, one pass.
 * Losses of whole batches stand beside that with their own kernels. Every part has the reduction of the sum, and label
 * smoothing of its own.
 * @param find a part by its name
 */
export function sumOfLosses(find: (name: string) => Loss): Loss {
  const describe = describeParameters(parameters).filter(({ name }) => name === SUM);
  return {
    name: SUM,
    summary: 'a weighted sum of losses: {sum: [{name: bce}, {name: smooth-ap, weight: 0.5}]}',
    source: 'its parts',
    parameters: describe,
    bind(given) {
      const parts = parseParameters(SUM, parameters, given).own.sum.map(({ name, weight, ...own }) => ({
        name,
        weight,
        loss: find(name).bind(own),
      }));
      const about = {
        name: SUM,
        labelSmoothing: 0,
        hardLabels: parts.some(({ loss }) => loss.hardLabels),
        parameters: {
          sum: parts.map(({ name, weight, loss }) => ({ name, weight, ...loss.parameters })),
        },
      };
      const entries = parts.flatMap(({ weight, loss }) =>
        loss.kind === 'entries' ? [{ weight, loss }] : [],
      );
      const batches = parts.flatMap(({ weight, loss }, i) =>
        loss.kind === 'batch' ? [{ weight, loss, prefix: `${i}.` }] : [],
      );
      const fused = entries.length > 0 ? { ...sumOfEntries(entries), ...about } : undefined;
      if (fused && batches.length === 0) return fused;
      return { ...sumWithBatches(fused, batches), ...about };
    },
  };
}

interface Weighed<Part> {
  readonly weight: number;
  readonly loss: Part;
}

type Unnamed<Part> = Omit<Part, 'name' | 'labelSmoothing' | 'hardLabels' | 'parameters'>;

/** Where a part's class constants and scheduled numbers are among all. */
interface Place extends Weighed<EntryLoss> {
  readonly constants: readonly [from: number, to: number];
  readonly scheduled: readonly [from: number, to: number];
}

function sumOfEntries(parts: readonly Weighed<EntryLoss>[]): Unnamed<EntryLoss> {
  let [constants, scheduled] = [0, 0];
  const places = parts.map(({ weight, loss }): Place => {
    const [firstConstant, firstScheduled] = [constants, scheduled];
    constants += loss.constants;
    scheduled += loss.schedule(BEGINNING).length;
    return {
      weight,
      loss,
      constants: [firstConstant, constants],
      scheduled: [firstScheduled, scheduled],
    };
  });
  const withRow = places.filter(({ loss }) => loss.hasRow);
  if (withRow.length > 1) {
    const names = withRow.map(({ loss }) => loss.name).join(' and ');
    throw new LossError(
      `loss "${SUM}": ${names} both sum over the labels of an image, and only one part of a sum can`,
    );
  }
  return {
    kind: 'entries',
    wgsl: sumWgsl(places, constants, scheduled),
    flops: parts.reduce((sum, { loss }) => sum + loss.flops, 0),
    hasRow: withRow.length > 0,
    partialGradient: parts.some(({ loss }) => loss.partialGradient),
    constants,
    classConstants: (statistics) => parts.flatMap(({ loss }) => loss.classConstants(statistics)),
    schedule: (moment) => parts.flatMap(({ loss }) => loss.schedule(moment)),
    rowTerm: (y, all = []) =>
      withRow.reduce((sum, { loss, constants: at }) => {
        return sum + loss.rowTerm(smoothed(y, loss), all.slice(...at));
      }, 0),
    reference: (x, y, { constants: all = [], row = 0, scheduled: numbers = [] } = {}) =>
      places.reduce(
        (sum: ValueAndSlope, { weight, loss, constants: at, scheduled: when }) => {
          const part = loss.reference(x, smoothed(y, loss), {
            constants: all.slice(...at),
            scheduled: numbers.slice(...when),
            row,
          });
          return { value: sum.value + weight * part.value, slope: sum.slope + weight * part.slope };
        },
        { value: 0, slope: 0 },
      ),
  };
}

function smoothed(y: number, { labelSmoothing }: EntryLoss): number {
  return y * (1 - labelSmoothing) + labelSmoothing / 2;
}

/** `loss` and, where a part has one, `rowTerm`, which call those of the parts under names of their own. */
function sumWgsl(places: readonly Place[], constants: number, scheduled: number): string {
  const names = (letter: string, [from, to]: readonly [number, number]) =>
    Array.from({ length: to - from }, (_, k) => `${letter}${from + k}`);
  const typed = (all: readonly string[]) => all.map((name) => `, ${name}: f32`).join('');
  const passed = (all: readonly string[]) => all.map((name) => `, ${name}`).join('');
  const target = ({ labelSmoothing }: EntryLoss) =>
    labelSmoothing > 0 ? `y * ${literal(1 - labelSmoothing)} + ${literal(labelSmoothing / 2)}` : 'y';
  const everyConstant = names('k', [0, constants]);
  const rowed = places.findIndex(({ loss }) => loss.hasRow);
  const terms = places.map(({ weight, loss, ...at }, i) => {
    const row = loss.hasRow ? ['row'] : [];
    const given = passed([...names('k', at.constants), ...row, ...names('t', at.scheduled)]);
    return `${literal(weight)} * loss_${i}(x, ${target(loss)}${given})`;
  });
  const place = places[rowed];
  const rowTerm = place
    ? `fn rowTerm(y: f32${typed(everyConstant)}) -> f32 {
  return rowTerm_${rowed}(${target(place.loss)}${passed(names('k', place.constants))});
}
`
    : '';
  const everyNumber = names('t', [0, scheduled]);
  return `${places.map(({ loss }, i) => renamed(loss.wgsl, `_${i}`)).join('\n')}
${rowTerm}fn loss(x: f32, y: f32${typed([...everyConstant, ...(place ? ['row'] : []), ...everyNumber])}) -> vec2f {
  return ${terms.join('\n    + ')};
}`;
}

/** WGSL with a suffix on all that it declares, so that it can stand beside other losses'. */
function renamed(code: string, suffix: string): string {
  const declared = new Set([...code.matchAll(/\b(?:fn|struct|alias)\s+(\w+)/g)].map(([, name]) => name));
  return code.replace(/(?<![.\w])[A-Za-z_]\w*/g, (word) => (declared.has(word) ? `${word}${suffix}` : word));
}

interface Beside extends Weighed<BatchLoss> {
  /** Of the names of what the part keeps. */
  readonly prefix: string;
}

function sumWithBatches(entries: EntryLoss | undefined, batches: readonly Beside[]): Unnamed<BatchLoss> {
  return {
    kind: 'batch',
    schedule: (moment) => entries?.schedule(moment) ?? [],
    state: (classes) =>
      batches.flatMap(({ loss, prefix }) =>
        loss.state(classes).map(({ name, shape }): LossState => ({ name: prefix + name, shape })),
      ),
    trace({ logits, targets, statistics, state, scheduled, ...rest }) {
      const { graph } = logits;
      const first =
        entries && traceBoundLoss(entries, logits, targets, { ...rest, ...statistics, scheduled });
      const others = batches.map(({ weight, loss, prefix }) => {
        const own = [...(state ?? [])].flatMap(([name, tensor]) =>
          name.startsWith(prefix) ? [[name.slice(prefix.length), tensor] as const] : [],
        );
        const value = loss.trace({ logits, targets, statistics, state: state && new Map(own), ...rest });
        return weight === 1 ? value : mul(value, graph.constant(Float32Array.of(weight), [1]));
      });
      return [...(first ? [first] : []), ...others].reduce((sum, value) => add(sum, value));
    },
    reference(batch, given) {
      const parts = [...(entries ? [{ weight: 1, loss: entries }] : []), ...batches];
      return parts.reduce(
        (sum: LossValue, { weight, loss }) => {
          const { value, gradient } = referenceLoss(loss, batch, given);
          return {
            value: sum.value + weight * value,
            gradient: sum.gradient.map((slope, i) => slope + weight * (gradient[i] ?? Number.NaN)),
          };
        },
        { value: 0, gradient: new Float64Array(batch.n * batch.classes) },
      );
    },
  };
}
