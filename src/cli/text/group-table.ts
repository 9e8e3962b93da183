import { elementCount } from '../../engine/graph/tensor.js';
import type { ParameterGroupSettings, ParameterGroups } from '../../train/step/parameter-groups.js';

/** What a person wants to see of parameter groups before training: who learns how fast, and who does not. */

/** A line a group under a line of titles; empty where all parameters are treated alike. */
export function formatGroups({ groups, trained, frozen }: ParameterGroups): string[] {
  const rows = groups.map(describe);
  const [first] = rows;
  if (first && frozen.length === 0 && rows.every((row) => row.rate === '×1' && row.decay === first.decay)) {
    return [];
  }
  const total = [...trained, ...frozen].reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const share = (count: number) => `${((100 * count) / total).toFixed(1)} %`;
  const cells = [
    ['group', 'parameters', 'share', 'rate', 'weight decay'],
    ...rows.map((row) => [
      row.name,
      row.parameters.toLocaleString('en-US'),
      share(row.parameters),
      row.rate,
      row.decay,
    ]),
  ];
  const widths = cells.reduce(
    (widest, row) => row.map((cell, c) => Math.max(cell.length, widest[c] ?? 0)),
    [0],
  );
  return cells.map((row) =>
    row
      .map((cell, c) => (c === 1 || c === 2 ? cell.padStart(widths[c] ?? 0) : cell.padEnd(widths[c] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

function describe({ match, frozen, parameters }: ParameterGroupSettings) {
  const rates = parameters.map(({ learningRateScale }) => learningRateScale);
  const decays = [...new Set(parameters.map(({ weightDecay }) => weightDecay))].sort((a, b) => b - a);
  const [decay = 0, spared] = decays;
  return {
    name: match.length > 32 ? `${match.slice(0, 31)}…` : match,
    parameters: parameters.reduce((sum, { spec }) => sum + elementCount(spec.shape), 0),
    rate: frozen ? 'frozen' : range(Math.min(...rates), Math.max(...rates)),
    decay: frozen ? '–' : `${decay}${spared === undefined ? '' : `, norms and biases ${spared}`}`,
  };
}

function range(least: number, most: number): string {
  const text = (scale: number) => `×${Number(scale.toPrecision(3))}`;
  return least === most ? text(least) : `${text(least)} … ${text(most)}`;
}
