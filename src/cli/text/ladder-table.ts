import type { Interval } from '../../eval/metrics/interval.js';
import type { Ladder } from '../../predict/ladder.js';
import { counted, decimals, signed } from '../../text/numbers.js';
import { paddedTable } from '../../text/padded-table.js';

/** A ladder as text for a terminal: a line a step, with what it gains or costs. */
export function formatLadder({ images, unreadable, rows }: Ladder): string {
  const lines = rows.map(({ name, scores, gains }) => [
    name,
    decimals(scores.mAP, 4),
    ...gainCells(gains?.mAP),
    decimals(scores.auroc, 4),
    ...gainCells(gains?.auroc),
  ]);
  const titles = ['step', 'mAP', 'gain', '95 % interval', 'AUROC', 'gain', '95 % interval'];
  return [
    `${counted(images, 'image')}; each step beside the one before, intervals over patients:`,
    '',
    ...paddedTable([titles, ...lines], { right: (column) => column > 0 }),
    ...(unreadable.length > 0 ? ['', `unreadable, in no step: ${counted(unreadable.length, 'image')}`] : []),
  ].join('\n');
}

/** A star stands where zero lies outside of the interval. */
function gainCells(gain: Interval | undefined): [string, string] {
  if (gain === undefined) return ['', ''];
  const { estimate, low, high, whyMissing } = gain;
  if (whyMissing !== null) return [signed(estimate, 4), whyMissing];
  const holds = low > 0 || high < 0 ? ' *' : '  ';
  return [signed(estimate, 4), `${signed(low, 4)} to ${signed(high, 4)}${holds}`];
}
