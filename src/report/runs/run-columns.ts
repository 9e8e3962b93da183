import { nearestName } from '../../recipe/known-names.js';
import { formatByteSize } from '../../text/byte-size.js';
import { formatSeconds } from '../../text/duration.js';
import { decimals, NOTHING } from '../../text/numbers.js';
import { describeModel, lossName } from '../describe-run.js';
import { ReportError } from '../report-error.js';
import { RUN_STATES, type RunOutline } from './run-outline.js';

/** What a table of runs says of each, on a terminal, in a page and as JSON: the same columns, to sort by any of them. */

export interface RunColumn {
  readonly title: string;
  /** What it sorts by; null where the run doesn't have it. Texts sort from a to z, numbers from the largest. */
  value(run: RunOutline): string | number | null;
  text(run: RunOutline): string;
}

export const RUN_COLUMNS = {
  name: {
    title: 'run',
    value: ({ path }) => path,
    text: ({ path }) => path,
  },
  state: {
    title: 'state',
    value: ({ state }) => `${RUN_STATES.indexOf(state)}`,
    text: ({ state }) => state,
  },
  when: {
    title: 'when',
    value: ({ when }) => when,
    text: ({ when }) => formatTime(when),
  },
  model: {
    title: 'model',
    value: ({ final }) => final && describeModel(final),
    text: ({ final }) => (final ? describeModel(final) : NOTHING),
  },
  loss: {
    title: 'loss',
    value: ({ final }) => final && lossName(final),
    text: ({ final }) => (final ? lossName(final) : NOTHING),
  },
  epochs: {
    title: 'epochs',
    value: ({ epochs }) => epochs.done,
    text: ({ epochs }) => `${epochs.done}/${epochs.planned ?? NOTHING}`,
  },
  mAP: {
    title: 'mAP',
    value: ({ validation }) => validation?.mAP ?? null,
    text: ({ validation }) => decimals(validation?.mAP),
  },
  test: {
    title: 'test mAP',
    value: ({ test }) => test?.mAP ?? null,
    text: ({ test }) => decimals(test?.mAP),
  },
  time: {
    title: 'time',
    value: ({ seconds }) => (seconds > 0 ? seconds : null),
    text: ({ seconds }) => (seconds > 0 ? formatSeconds(seconds) : NOTHING),
  },
  size: {
    title: 'size',
    value: ({ bytes }) => bytes,
    text: ({ bytes }) => formatByteSize(bytes),
  },
} as const satisfies Record<string, RunColumn>;

export type RunColumnName = keyof typeof RUN_COLUMNS;

/** A column as a person wrote it. @throws ReportError naming those that there are */
export function columnNamed(name: string): RunColumnName {
  const known = Object.keys(RUN_COLUMNS) as RunColumnName[];
  const found = known.find((each) => each.toLowerCase() === name.toLowerCase());
  if (found !== undefined) return found;
  const near = nearestName(name, known);
  const meant = near === undefined ? `there are ${known.join(', ')}.` : `did you mean "${near}"?`;
  throw new ReportError(`there is no column "${name}"; ${meant}`);
}

/** Runs without a value come last, in either direction; equal ones keep their order. */
export function sortRuns(
  runs: readonly RunOutline[],
  name: RunColumnName,
  { reverse = false }: { readonly reverse?: boolean | undefined } = {},
): RunOutline[] {
  const column: RunColumn = RUN_COLUMNS[name];
  const turn = reverse ? -1 : 1;
  return [...runs].sort((a, b) => {
    const [first, second] = [column.value(a), column.value(b)];
    if (first === null || second === null) return Number(first === null) - Number(second === null);
    if (typeof first === 'number' && typeof second === 'number') return turn * (second - first);
    return turn * String(first).localeCompare(String(second), 'en', { numeric: true });
  });
}

/** `2026-11-29 14:45`, in the time of this machine. */
export function formatTime(milliseconds: number): string {
  const date = new Date(milliseconds);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}
