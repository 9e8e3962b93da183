import type { AdapterKind } from '../../engine/graph/tensor.js';
import type { AcceptedAdapter } from './adapter-report.js';

/**
 * Which adapter is meant: the order when nobody says, and what a given name fits. `openAdapter` and `devices` both ask
 * here, so that what is shown as chosen is what gets opened.
 */

const ORDER: readonly AdapterKind[] = ['gpu', 'lavapipe', 'software', 'swiftshader'];

/** A name in lower case; empty when the best adapter is wanted. */
export type AdapterChoice = string;

/** What the caller says, else TAILRAY_ADAPTER, else the best there is. */
export function adapterChoice(said?: string, environment: NodeJS.ProcessEnv = process.env): AdapterChoice {
  return (said ?? environment.TAILRAY_ADAPTER ?? '').trim().toLowerCase();
}

/** Whether an adapter is what `choice` names: its kind, or a part of its description or device name. */
export function fits(adapter: AcceptedAdapter, choice: AdapterChoice): boolean {
  if (choice === '') return true;
  if (ORDER.some((kind) => kind === choice)) return adapter.kind === choice;
  const spelledAsDawnDoes = choice.replaceAll(/[^a-z0-9]+/g, '-');
  return adapter.description.toLowerCase().includes(choice) || adapter.device.includes(spelledAsDawnDoes);
}

/** For sorting: hardware first, SwiftShader last. */
export function byPreference(a: AcceptedAdapter, b: AcceptedAdapter): number {
  return ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind);
}
