import type { TrainingState } from '../../../src/train/step/training-state.js';

/** The values of every f32 arena of a training's state, by arena and name. */
export async function contentsOf(state: TrainingState): Promise<Record<string, Map<string, Float32Array>>> {
  const contents: Record<string, Map<string, Float32Array>> = {};
  for (const [name, arena] of Object.entries(state.arenas)) {
    if (arena.dtype === 'f32') contents[name] = await arena.readAll();
  }
  return contents;
}
