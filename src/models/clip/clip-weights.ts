import { type Shape, sameShape } from '../../engine/graph/tensor.js';
import type { ParameterSpec } from '../model-scope.js';
import { type SafetensorsTensor, toFloat32 } from '../safetensors/safetensors.js';
import { type Grid, resampleGrid } from '../weights/positions.js';
import type { TensorDifference } from '../weights/tensor-differences.js';
import { importTimm, type ModelWeights, timmShapes } from '../weights/timm-weights.js';
import { WeightsError } from '../weights/weights-error.js';
import { clipNaming, placeOf, stack, type TensorPlace, UNREAD } from './clip-names.js';

/** Whether a file has anything of a text tower. @param parameters of the tower */
export function hasTextTower(
  parameters: readonly ParameterSpec[],
  tensors: ReadonlyMap<string, SafetensorsTensor>,
): boolean {
  const naming = clipNaming(tensors.keys()) ?? 'open_clip';
  const names = new Set(tensors.keys());
  return parameters.some(({ name }) =>
    sourcesOf(placeOf(name, naming, names)).some((each) => names.has(each)),
  );
}

const IMAGE_POSITIONS = 'visual.positional_embedding';

/**
 * The weights of a CLIP's towers out of a file in either naming. Nothing that differs is passed over.
 * @param parameters of the towers, with the table of tokens where it is wanted @param tensors of the file
 * @param grids of patches, where images have another size than those of the training: positions are resized from one to
 *   the other, as open_clip does
 * @throws WeightsError with every tensor that is missing, of another shape, or not of a CLIP
 */
export function clipWeights(
  parameters: readonly ParameterSpec[],
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  grids?: { readonly from: Grid; readonly to: Grid },
): ModelWeights {
  const naming = clipNaming(tensors.keys()) ?? 'open_clip';
  const names = new Set(tensors.keys());
  const taken = new Set<string>();
  const values = new Map<string, SafetensorsTensor>();
  const differences: TensorDifference[] = [];
  const shapes = timmShapes({ parameters, statistics: [] });
  for (const { name } of parameters) {
    const expected = shapes.get(name) ?? [];
    const place = placeOf(name, naming, names);
    const sources = sourcesOf(place);
    const parts = sources.flatMap((source) => tensors.get(source) ?? []);
    for (const source of sources) taken.add(source);
    if (parts.length < sources.length) {
      const absent = sources.filter((source) => !tensors.has(source));
      differences.push(
        ...absent.map((source) => ({ kind: 'missing', name: source, part: 'backbone', expected }) as const),
      );
      continue;
    }
    const found = assemble(place.kind, parts);
    const tensor = grids && name === IMAGE_POSITIONS ? resized(found, grids) : found;
    if (sameShape(tensor.shape, expected)) values.set(name, tensor);
    else
      differences.push({
        kind: 'shape',
        name: sources.join(', '),
        part: 'backbone',
        found,
        expected,
      });
  }
  for (const [name, tensor] of tensors) {
    if (taken.has(name) || UNREAD.test(name)) continue;
    differences.push({ kind: 'unexpected', name, part: 'backbone', found: tensor });
  }
  if (differences.length > 0) throw new WeightsError(differences);
  return importTimm({ parameters, statistics: [] }, values);
}

function sourcesOf(place: TensorPlace): readonly string[] {
  return place.kind === 'stacked' ? place.names : [place.name];
}

/** Positions of another number than the grid's stay as they are, and are refused with all that has another shape. */
function resized(positions: SafetensorsTensor, { from, to }: { readonly from: Grid; readonly to: Grid }) {
  const [tokens] = positions.shape;
  const fits = positions.shape.length === 2 && tokens === 1 + from.rows * from.columns;
  return fits ? resampleGrid(positions, { prefix: 1, from, to }) : positions;
}

function assemble(
  kind: 'as-is' | 'stacked' | 'transposed',
  parts: readonly SafetensorsTensor[],
): SafetensorsTensor {
  const [first] = parts;
  if (!first) throw new RangeError('no part of a tensor');
  if (kind === 'as-is') return first;
  const floats = parts.map((part): SafetensorsTensor => ({ ...part, dtype: 'F32', data: toFloat32(part) }));
  return kind === 'stacked' ? stack(floats) : transposed(first.shape, toFloat32(first));
}

function transposed([rows = 1, columns = 1]: Shape, data: Float32Array): SafetensorsTensor {
  const result = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) result[c * rows + r] = data[r * columns + c] ?? 0;
  }
  return { dtype: 'F32', shape: [columns, rows], data: result };
}
