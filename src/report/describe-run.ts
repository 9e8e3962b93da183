import { basename } from 'node:path';
import { isLossFile } from '../recipe/loss-file.js';
import type { Recipe } from '../recipe/recipe-schema.js';
import { shorten } from '../text/shorten.js';

/** A run in a few words. */

/** The loss's name; of one in a file the file's, without its folder: a report may travel. */
export function lossName({ loss: { name } }: Pick<Recipe, 'loss'>): string {
  return isLossFile(name) ? basename(name) : name;
}

/** `asl (gammaNeg 4, margin 0.05)` */
export function describeLoss({ loss }: Pick<Recipe, 'loss'>): string {
  const { name: _name, reduction, sha256, ...parameters } = loss;
  const name = lossName({ loss });
  const settings = Object.entries(parameters).map(([key, value]) => `${key} ${plain(value)}`);
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

function plain(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : JSON.stringify(value);
}
