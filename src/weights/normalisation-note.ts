import type { Preprocessing } from '../data/images/preprocessing.js';
import type { PretrainedConfig } from '../models/weights/timm-config.js';

/**
 * Weights expect images normalised as in their training. Another mean or spread is no error, as fine-tuning gets used to
 * it, but it costs steps, and a person should have chosen it.
 * @returns a sentence where they differ by more than rounding
 */
export function normalisationNote(
  { mean, std }: Pick<PretrainedConfig, 'mean' | 'std'>,
  own: Pick<Preprocessing, 'channels' | 'mean' | 'std'>,
): string | undefined {
  if (!mean || !std) return undefined;
  const theirs = { mean: forChannels(mean, own.channels), std: forChannels(std, own.channels) };
  if (agree(theirs.mean, own.mean) && agree(theirs.std, own.std)) return undefined;
  const grey =
    own.channels === 1 && mean.length > 1 ? ' For one grey channel, about the same is' : ' To do the same:';
  return (
    `the weights were trained on images with mean ${list(mean)} and std ${list(std)}, the recipe has mean ` +
    `${list(own.mean)} and std ${list(own.std)}.${grey} --set 'preprocessing.mean=${list(theirs.mean)}' ` +
    `--set 'preprocessing.std=${list(theirs.std)}'`
  );
}

function forChannels(values: readonly number[], channels: number): number[] {
  if (values.length === channels) return [...values];
  const average = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Array.from({ length: channels }, () => Number(average.toFixed(3)));
}

function agree(theirs: readonly number[], own: readonly number[]): boolean {
  return theirs.every((value, c) => Math.abs(value - (own[c] ?? own[0] ?? 0)) < 0.005);
}

function list(values: readonly number[]): string {
  return `[${values.join(', ')}]`;
}
