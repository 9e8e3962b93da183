import { basename } from 'node:path';
import { isLossFile } from '../recipe/loss-file.js';
import { lossParts } from '../recipe/recipe-loss.js';
import type { Recipe } from '../recipe/recipe-schema.js';
import { shorten } from '../text/shorten.js';

/** A run in a few words. */

/** The loss's name; of one in a file the file's, without its folder: a report may travel; of a sum `bce + 0.5 smooth-ap`. */
export function lossName({ loss }: Pick<Recipe, 'loss'>): string {
  const parts = lossParts(loss);
  if (parts.length > 0) return parts.map(({ weight, name }) => weighed(weight, name)).join(' + ');
  return isLossFile(loss.name) ? basename(loss.name) : loss.name;
}

/** `asl (gammaNeg 4, margin 0.05)` */
export function describeLoss({ loss }: Pick<Recipe, 'loss'>): string {
  const { name: _name, reduction, sha256, ...parameters } = loss;
  const parts = lossParts(loss);
  if (parts.length > 0) {
    const sum = parts.map(({ weight, name, ...own }) =>
      weighed(weight, `${name} (${settingsOf(own).join(', ')})`),
    );
    return `${sum.join(' + ')}${reduction === 'mean' ? '' : `, reduction ${reduction}`}`;
  }
  const name = lossName({ loss });
  const settings = settingsOf(parameters);
  if (typeof sha256 === 'string') settings.push(`sha256 ${shorten(sha256, 13)}`);
  if (reduction !== 'mean') settings.push(`reduction ${reduction}`);
  return settings.length === 0 ? name : `${name} (${settings.join(', ')})`;
}

/**
 * The losses of several runs with only the settings that tell losses of one name apart: `bce`, `asl (gammaNeg 2)`,
 * `asl (gammaNeg 4)`.
 */
export function distinguishLosses(recipes: readonly Pick<Recipe, 'loss'>[]): string[] {
  const named: Pick<Recipe, 'loss'>[] = recipes.map(({ loss }) => ({
    loss: { ...loss, name: lossName({ loss }) },
  }));
  return named.map(({ loss }) => {
    const namesakes = named.filter((other) => other.loss.name === loss.name);
    const settings = Object.entries(loss).filter(([key, value]) =>
      namesakes.some((other) => JSON.stringify(other.loss[key]) !== JSON.stringify(value)),
    );
    const texts = settings.map(([key, value]) => `${key} ${plain(value)}`);
    return texts.length === 0 ? loss.name : `${loss.name} (${texts.join(', ')})`;
  });
}

/** `resnet18 (width 16, stem small)`; the architecture's own settings are left out. */
export function describeModel({ model }: Pick<Recipe, 'model'>): string {
  const settings = [
    ...(model.width === undefined ? [] : [`width ${model.width}`]),
    ...(model.stem === undefined ? [] : [`stem ${model.stem}`]),
    ...(model.head.name === 'linear' ? [] : [`head ${model.head.name}`]),
  ];
  return settings.length === 0 ? model.arch : `${model.arch} (${settings.join(', ')})`;
}

function weighed(weight: number, part: string): string {
  return weight === 1 ? part : `${weight} ${part}`;
}

function settingsOf(parameters: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(parameters).map(([key, value]) => `${key} ${plain(value)}`);
}

function plain(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : JSON.stringify(value);
}
