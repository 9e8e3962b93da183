import { formatByteSize } from '../../text/byte-size.js';
import { padCell } from '../../text/padded-table.js';
import { type AdapterChoice, fits } from './adapter-choice.js';
import type { AcceptedAdapter, AdapterReport, RefusedAdapter } from './adapter-report.js';

/**
 * Adapter reports as text for a terminal: what can be used, what decides how fast it is, and why the rest cannot.
 */

/** The features that kernels make use of; the others are counted only. */
const TELLING_FEATURES = [
  'shader-f16',
  'subgroups',
  'timestamp-query',
  'chromium-experimental-subgroup-matrix',
];

/** The limits that decide what fits and which kernels run. */
const TELLING_LIMITS: readonly (readonly [name: string, words: string, inBytes: boolean])[] = [
  ['maxBufferSize', 'a buffer', true],
  ['maxStorageBufferBindingSize', 'a binding', true],
  ['maxComputeWorkgroupStorageSize', 'workgroup memory', true],
  ['maxStorageBuffersPerShaderStage', 'storage buffers', false],
  ['maxStorageTexturesPerShaderStage', 'storage textures', false],
  ['maxComputeInvocationsPerWorkgroup', 'invocations a workgroup', false],
];

/**
 * @param reports as `listAdapters` gives them: accepted ones first, the preferred one at the top
 * @param choice what was asked for; the adapter that it means is marked with an arrow
 */
export function adapterTable(reports: readonly AdapterReport[], choice: AdapterChoice): string {
  const accepted = reports.filter((report) => report.accepted);
  const chosen = accepted.find((adapter) => fits(adapter, choice));
  return [
    accepted.length > 0 ? 'Adapters' : 'No adapter is ready for use.',
    ...accepted.flatMap((adapter) => acceptedLines(adapter, adapter === chosen)),
    ...refusedLines(reports.filter((report) => !report.accepted)),
    '',
    conclusion(chosen, choice),
    'Choose with --adapter NAME or TAILRAY_ADAPTER=NAME: gpu, lavapipe, swiftshader, or a part of a description.',
  ].join('\n');
}

function acceptedLines(adapter: AcceptedAdapter, chosen: boolean): string[] {
  const { features, limits, matrices } = adapter;
  const telling = TELLING_FEATURES.filter((feature) => features.includes(feature));
  const others = features.length - telling.length;
  const sizes = TELLING_LIMITS.map(([name, words, inBytes]) => {
    const value = limits[name] ?? 0;
    return `${inBytes ? formatByteSize(value) : value} ${words}`;
  });
  return [
    '',
    `${chosen ? '→' : ' '} ${padCell(adapter.name, 12)} ${adapter.description}`,
    `    device     ${adapter.device}`,
    `    driver     ${adapter.driver}`,
    `    features   ${[...telling, `and ${others} more`].join(', ')}`,
    ...matrixLines(matrices),
    `    limits     ${sizes.slice(0, 3).join(', ')}`,
    `               ${sizes.slice(3).join(', ')}`,
  ];
}

function matrixLines(matrices: AcceptedAdapter['matrices']): string[] {
  const shapes = matrices
    .filter(({ sums }) => sums === 'f32')
    .map(({ m, n, k, operands }) => `${m}×${n}×${k} of ${operands}`);
  return shapes.length > 0 ? [`    matrices   ${shapes.join(', ')}; used where TAILRAY_MATRICES is on`] : [];
}

/** Drivers that are refused for the same reason share a line. */
function refusedLines(refused: readonly RefusedAdapter[]): string[] {
  const byReason = new Map<string, string[]>();
  for (const { name, reason } of refused) byReason.set(reason, [...(byReason.get(reason) ?? []), name]);
  const lines = [...byReason].map(([reason, names]) => `  ${names.join(', ')}: ${reason}`);
  return lines.length > 0 ? ['', 'Not usable', ...lines] : [];
}

function conclusion(chosen: AcceptedAdapter | undefined, choice: AdapterChoice): string {
  const asked = choice === '' ? '' : `"${choice}" is asked for. `;
  if (chosen) return `${asked}Commands will use ${chosen.name} (${chosen.description}).`;
  if (choice === '' || choice === 'swiftshader') {
    return `${asked}The first command will fetch SwiftShader (66 MB, once). \`npx tailray devices --fetch\` does it now.`;
  }
  return `${asked}No adapter fits, and commands will stop with an error.`;
}
