import { TableError } from '../data/tables/csv-sheet.js';
import { type DataPart, type DataSourceOptions, resolveDataSource } from '../data/tables/data-source.js';

/** Which rows of labelled data an evaluation is about. */
export type PartName = 'train' | 'validation' | 'test' | 'all';

export interface EvaluationData {
  readonly imageRoot: string;
  /** Tables with the rows of each that are meant. */
  readonly parts: readonly DataPart[];
  /** What was chosen, for the report. */
  readonly part: PartName;
}

/**
 * Reads labelled data for an evaluation, without drawing any split: only splits that come with the data are told apart.
 * @param part default: the preferred part if the data bring one, else all rows where they bring no parts
 * @param preferred `test` for a result, `validation` for a choice
 * @throws TableError when the part asked for isn't there
 */
export async function readEvaluationData(
  path: string,
  options: Pick<DataSourceOptions, 'images' | 'table'>,
  part?: PartName,
  preferred: 'test' | 'validation' = 'test',
): Promise<EvaluationData> {
  const source = await resolveDataSource(path, { ...options, validation: 0, test: 0 });
  const given = { train: source.train, validation: source.validation, test: source.test };
  const brings = { test: source.test !== null, validation: source.validation.indices.length > 0 };
  const none = !brings.test && (preferred === 'test' || !brings.validation);
  const chosen = part ?? (none ? 'all' : preferred);
  const parts = chosen === 'all' ? Object.values(given) : [given[chosen]];
  const filled = parts.filter((each) => each !== null && each.indices.length > 0) as DataPart[];
  if (filled.length === 0) throw new TableError(`the data bring no ${chosen} part.`, { path });
  return { imageRoot: source.imageRoot, parts: filled, part: chosen };
}
