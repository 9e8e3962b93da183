import { formatByteSize } from '../../text/byte-size.js';
import { decimals, NOTHING } from '../../text/numbers.js';
import { paddedTable } from '../../text/padded-table.js';
import type { SurveyedModel, TrainingEstimate } from '../../train/step/model-survey.js';

/** Surveyed models as a table for a terminal. */

export interface ModelTableTitles {
  /** [height, width] */
  readonly size: readonly [number, number];
  readonly batchSize: number;
  /** Which adapter the memory was planned for. */
  readonly adapter?: string | undefined;
  /** Why there is no column of memory; absent where there is one. */
  readonly withoutMemory?: string | undefined;
}

interface Column {
  readonly title: string;
  /** The second line of the title. */
  readonly unit: string;
  cell(model: SurveyedModel): string;
}

/** Under the table: the meaning of the figures, and the figures that are missing. */
export function formatModels(models: readonly SurveyedModel[], titles: ModelTableTitles): string {
  const columns = columnsOf(models, titles);
  const body = models.map((model) => columns.map((column) => column.cell(model)));
  const head = [columns.map(({ title }) => title), columns.map(({ unit }) => unit)];
  const [first = '', second = '', ...rows] = paddedTable([...head, ...body], {
    right: (column) => column > 0,
    gap: '   ',
  });
  const rule = '─'.repeat(Math.max(...[first, second, ...rows].map((line) => line.length)));
  return [first, second, rule, ...families(models, rows), '', ...notes(models, titles)].join('\n');
}

/** A blank line between networks of different families. */
function families(models: readonly SurveyedModel[], rows: readonly string[]): string[] {
  const family = (index: number) => /^[a-z]+(v\d)?/.exec(models[index]?.arch ?? '')?.[0];
  return rows.flatMap((row, i) => (i > 0 && family(i) !== family(i - 1) ? ['', row] : [row]));
}

function columnsOf(models: readonly SurveyedModel[], { size, batchSize }: ModelTableTitles): Column[] {
  const ms = (value: number) => decimals(value, value < 100 ? 1 : 0);
  const trial = (model: SurveyedModel, of: 'evaluationMs' | 'stepMs') =>
    model.trial === undefined ? '' : 'failure' in model.trial ? 'failed' : ms(model.trial[of]);
  return [
    { title: 'architecture', unit: '', cell: ({ arch }) => arch },
    { title: 'parameters', unit: 'M', cell: ({ parameters }) => decimals(parameters / 1e6, 2) },
    {
      title: size[0] === size[1] ? `at ${size[0]} px` : `at ${size.join('×')}`,
      unit: 'GMACs',
      cell: ({ multiplyAdds }) => decimals(multiplyAdds / 1e9, 2),
    },
    { title: 'activations', unit: 'M', cell: ({ activations }) => decimals(activations / 1e6, 2) },
    ...(models.some(({ training }) => training)
      ? [
          {
            title: 'training',
            unit: `batch ${batchSize}`,
            cell: ({ training }: SurveyedModel) => memoryCell(training, batchSize),
          },
        ]
      : []),
    ...(models.some(({ training }) => leastOf(training) !== undefined)
      ? [
          {
            title: 'recomputed',
            unit: 'at least',
            cell: ({ training }: SurveyedModel) => {
              const least = leastOf(training);
              return least === undefined ? '' : formatByteSize(least);
            },
          },
        ]
      : []),
    ...(models.some((model) => model.trial)
      ? [
          { title: 'scoring', unit: 'ms', cell: (model: SurveyedModel) => trial(model, 'evaluationMs') },
          { title: 'step', unit: 'ms', cell: (model: SurveyedModel) => trial(model, 'stepMs') },
        ]
      : []),
  ];
}

function leastOf(training: TrainingEstimate | undefined): number | undefined {
  return training && 'leastBytes' in training ? training.leastBytes : undefined;
}

function memoryCell(training: TrainingEstimate | undefined, batchSize: number): string {
  if (training === undefined) return '';
  if (!('bytes' in training)) return NOTHING;
  const bytes = formatByteSize(training.bytes);
  return training.batchSize === batchSize ? bytes : `batch ${training.batchSize}: ${bytes}`;
}

function notes(
  models: readonly SurveyedModel[],
  { batchSize, adapter, withoutMemory }: ModelTableTitles,
): string[] {
  const [first] = models.flatMap(({ arch, training }) =>
    training?.limit === undefined ? [] : [{ arch, limit: training.limit }],
  );
  const failures = models.flatMap(({ arch, trial }) =>
    trial && 'failure' in trial ? [`${arch} did not run: ${trial.failure}`] : [],
  );
  return [
    'GMACs: multiply-adds of one forward pass, as timm counts them (twice as many FLOPs). Activations: what convolutions',
    'and matrix products put out for one image.',
    ...(withoutMemory === undefined
      ? [
          'Training: the peak, with weights, gradients, optimizer state, average and evaluation. --memory of `train` trades time',
          `for less. Planned for: ${adapter ?? 'this adapter'}.`,
        ]
      : [`The memory of training is left out: ${withoutMemory}`]),
    ...(first
      ? [`Where another batch is given, ${batchSize} do not fit: ${first.arch}'s ${first.limit}.`]
      : []),
    ...failures,
  ];
}
