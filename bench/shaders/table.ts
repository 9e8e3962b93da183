import { paddedTable } from '#src/text/padded-table.js';
import type { GpuProfile } from './gpu.js';
import type { JudgedDispatch, JudgedProgram, Refused } from './judge.js';

/** What `npm run shaders` prints. */

/** Dispatches of one op's variant at one shape: the same pipeline, the same sizes. */
interface Row {
  readonly first: JudgedDispatch;
  readonly count: number;
  readonly seconds: number;
  readonly roofSeconds: number;
}

const HEAD = [
  'op',
  'variant',
  'step',
  'shape',
  'n',
  'time',
  'roof',
  'bound',
  'FMA',
  'VGPRs',
  'spills',
  'scratch',
  'LDS',
  'waves',
  'code',
  'groups',
  'key',
];

/** @param top rows to print; the rest are summed */
export function programTable({ dispatches }: JudgedProgram, top: number): string[] {
  const rows = rowsOf(dispatches);
  const shown = rows.slice(0, top).map(cellsOf);
  const rest = rows.slice(top);
  const more =
    rest.length === 0
      ? []
      : [
          [
            `${rest.length} more`,
            '',
            '',
            '',
            String(sum(rest, ({ count }) => count)),
            micro(sum(rest, ({ seconds }) => seconds)),
            share(
              sum(rest, ({ roofSeconds }) => roofSeconds),
              sum(rest, ({ seconds }) => seconds),
            ),
          ],
        ];
  const isText = (column: number) => column < 4 || column === 7 || column === HEAD.length - 1;
  return paddedTable([HEAD, ...shown, ...more], { right: (column) => !isText(column) });
}

/** A program in one line, and its time by op. */
export function programTotals({ program, dispatches, roofSeconds, refused }: JudgedProgram): string[] {
  const seconds = sum(dispatches, ({ modelled }) => modelled.seconds);
  const guessed = dispatches.filter(({ modelled }) => modelled.guesses > 0).length;
  const families = new Map<string, { seconds: number; roof: number; count: number }>();
  for (const { dispatch, modelled, roofSeconds: roof } of dispatches) {
    const known = families.get(dispatch.op) ?? { seconds: 0, roof: 0, count: 0 };
    known.seconds += modelled.seconds;
    known.roof += roof;
    known.count += 1;
    families.set(dispatch.op, known);
  }
  const rows = [...families].sort(([, a], [, b]) => b.seconds - a.seconds);
  return [
    `${program}: modelled ${milli(seconds)}, roof ${milli(roofSeconds)} (${share(roofSeconds, seconds)}), ${dispatches.length} dispatches` +
      (refused > 0 ? `, WITHOUT ${refused} that do not compile` : '') +
      (guessed > 0 ? `, ${guessed} of them with guessed branches` : ''),
    ...paddedTable(
      rows.map(([op, { seconds: time, roof, count }]) => [
        `  ${op}`,
        String(count),
        milli(time),
        share(roof, time),
      ]),
      { right: (column) => column > 0 },
    ),
  ];
}

/** Dispatches that leave units of the GPU without work for longer than they take to begin. */
export function idleUnits({ dispatches }: JudgedProgram, gpu: GpuProfile): string[] {
  const rows = rowsOf(dispatches.filter(({ modelled }) => modelled.groups < gpu.units)).filter(
    ({ first }) => first.modelled.seconds > 3e-6,
  );
  if (rows.length === 0) return [];
  return [
    `Fewer workgroups than ${gpu.units} units:`,
    ...paddedTable(
      rows.map(({ first: { dispatch, modelled }, count }) => [
        `  ${nameOf(dispatch)}`,
        dispatch.shape,
        `${count} ×`,
        `${modelled.groups} groups`,
        micro(modelled.seconds),
      ]),
    ),
  ];
}

export function refusedLines(refused: readonly Refused[]): string[] {
  const once = new Map(refused.map((each) => [JSON.stringify(each), each]));
  return [...once.values()].map(
    ({ program, op, variant, reason }) => `${program}: ${op} (${variant}) was refused: ${reason}`,
  );
}

export function rowsOf(dispatches: readonly JudgedDispatch[]): Row[] {
  const groups = new Map<string, JudgedDispatch[]>();
  for (const each of dispatches) {
    const { shape, step, grid, dims } = each.dispatch;
    const key = JSON.stringify([each.key, shape, step, grid, dims]);
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  return [...groups.values()]
    .map((group) => ({
      first: group[0]!,
      count: group.length,
      seconds: sum(group, ({ modelled }) => modelled.seconds),
      roofSeconds: sum(group, ({ roofSeconds }) => roofSeconds),
    }))
    .sort((a, b) => b.seconds - a.seconds);
}

function cellsOf({ first, count, seconds, roofSeconds }: Row): string[] {
  const { dispatch, modelled, kernel, key } = first;
  const statistic = (name: string) => String(kernel.compiled.statistics.get(name) ?? 0);
  const spills = Number(statistic('Spilled SGPRs')) + Number(statistic('Spilled VGPRs'));
  return [
    dispatch.op,
    dispatch.variant,
    dispatch.steps > 1 ? `${dispatch.step + 1}/${dispatch.steps}` : '',
    shorten(dispatch.shape, 58),
    String(count),
    micro(seconds),
    share(roofSeconds, seconds),
    modelled.bound + (modelled.guesses > 0 ? '?' : ''),
    share(modelled.fmaShare, 1),
    statistic('VGPRs'),
    String(spills),
    statistic('Scratch size'),
    statistic('LDS size'),
    modelled.waves.toFixed(0),
    statistic('Code size'),
    String(modelled.groups),
    key,
  ];
}

function nameOf({ op, variant, step, steps }: JudgedDispatch['dispatch']): string {
  return `${op} ${variant}${steps > 1 ? ` ${step + 1}/${steps}` : ''}`;
}

function shorten(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

function micro(seconds: number): string {
  return `${(seconds * 1e6).toFixed(seconds < 1e-4 ? 1 : 0)} µs`;
}

function milli(seconds: number): string {
  return `${(seconds * 1e3).toFixed(2)} ms`;
}

function share(part: number, whole: number): string {
  return whole > 0 ? `${((100 * part) / whole).toFixed(0)} %` : '';
}

function sum<T>(list: readonly T[], value: (each: T) => number): number {
  return list.reduce((total, each) => total + value(each), 0);
}
