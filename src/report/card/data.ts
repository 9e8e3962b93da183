import { basename } from 'node:path';
import { describePreprocessing } from '../../data/images/describe-preprocessing.js';
import type { DataPart } from '../../data/tables/data-source.js';
import { count, NOTHING, percent } from '../../text/numbers.js';
import type { ExaminedRun } from '../examine-run.js';
import { code, list, plain, table } from '../markdown.js';
import { partSize } from '../run-labels.js';
import type { CardFacts } from './card-facts.js';

/** The data: images, split, oddities; and how an image must be prepared. */
export function dataSection({ run, about }: CardFacts): string {
  const steps = describePreprocessing(about.preprocessing).map((step, i) => `${i + 1}. ${plain(step)}`);
  return [
    '## Data',
    ...(run === null
      ? ['Missing: the run directory was not at hand.']
      : [source(run), parts(run), ...earlier(run), ...notes(run)]),
    '## Preparing an image',
    steps.join('\n'),
  ].join('\n\n');
}

function source({ record, data, simulated }: ExaminedRun): string {
  const { path } = record.final.data;
  if (simulated)
    return 'Phantoms: simulated chest radiographs, drawn by `synth` of tailray, with simulated labels.';
  if (data === null)
    return path === undefined
      ? 'Source missing.'
      : `Label table ${code(basename(path))}, which could not be read again.`;
  const { table } = data.source.train;
  return `Label table ${code(basename(table.path))} in the layout ${code(table.layout)}.`;
}

function parts({ record, data }: ExaminedRun): string {
  const rows = (['train', 'validation', 'test'] as const).map((name) => {
    const found = data?.source[name] ?? null;
    const recorded = record.summary?.data[name] ?? null;
    const size = recorded ?? (found && partSize(found));
    if (size === null || size.images === 0) return [name, 'none', '', '', ''];
    return [
      name,
      count(size.images),
      size.patients > 0 ? count(size.patients) : 'not named',
      count(recorded?.unreadable),
      found === null ? NOTHING : percent(unknownShare(found)),
    ];
  });
  const titles = ['images', 'patients', 'unreadable, left out', 'unknown labels'];
  return table([{ title: 'part' }, ...titles.map((title) => ({ title, number: true }))], rows);
}

/** Of a run whose stages train on several sets: the others. */
function earlier({ record }: ExaminedRun): string[] {
  const stages = record.summary?.stages?.slice(0, -1) ?? [];
  if (stages.length === 0) return [];
  const lines = stages.map(({ name, classes, data: { train } }, i) => {
    const title = plain(name ?? `stage ${i + 1}`);
    return `${title}: ${count(train.images - train.unreadable)} training images, ${classes.length} classes`;
  });
  return ['Before that, earlier stages of the training saw:', list(lines)];
}

/** Labels that are neither present nor absent. */
function unknownShare({ table: { classes, labels }, indices }: DataPart): number {
  let unknown = 0;
  for (const index of indices) {
    for (let c = 0; c < classes.length; c++) if (Number.isNaN(labels[index * classes.length + c])) unknown++;
  }
  return unknown / (indices.length * classes.length);
}

/** Those of the data reader. */
function notes({ data, notes: found }: ExaminedRun): string[] {
  if (data === null) return [];
  return [
    list([
      'Unknown labels are masked out of the loss and of the metrics, never taken as absent.',
      ...found.map(plain),
    ]),
  ];
}
