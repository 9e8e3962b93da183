/**
 * Patient identifiers that a spreadsheet turned into floating point. "1.90E+38" stands for a 39-digit number of which
 * three digits survived, so many patients share one text. What is safe: take the text as one patient. Rows of one
 * patient were mangled alike, so they stay together and a split by patient still leaks nothing; the price is that
 * strangers are tied together, so there are fewer and larger groups than patients, and the reader is told.
 */

/** What is odd about a column of patient identifiers; all counts are of rows unless said otherwise. */
export interface PatientIdFacts {
  readonly column: string;
  readonly rows: number;
  readonly missing: number;
  /** Numbers in exponent notation. */
  readonly mangled: MangledIds | null;
  /** Whole numbers of 20 digits and more that came out of a floating-point number: digits were lost earlier on. */
  readonly rounded: MangledIds | null;
  /** Identifiers that are one but for case, leading zeros or a final ".0", as they are written: counted as several. */
  readonly respelt: readonly (readonly string[])[];
  /** Distinct identifiers that are whole numbers, and those that are not (mangled ones left out). */
  readonly numbers: number;
  readonly texts: number;
  readonly exampleText: string | null;
}

/** Identifiers that lost digits: `values` distinct ones are left, the most frequent of them on `largest` rows. */
export interface MangledIds {
  readonly rows: number;
  readonly values: number;
  readonly largest: number;
  readonly example: string;
}

/** The key to group by: mangled numbers by value (so that 1.9e+38 and 1.90E+38 are one), everything else as written. */
export function patientKey(id: string): string | null {
  const text = id.trim();
  if (text === '' || /^(nan|na|n\/a|null|none)$/i.test(text)) return null;
  return isFloatMangled(text) ? String(Number(text)) : text;
}

/** True for numbers in exponent notation, such as "1.90E+38". */
export function isFloatMangled(id: string): boolean {
  return /^\d+(?:\.\d*)?e\+?\d+$/i.test(id.trim());
}

/** Looks through a column of identifiers. @param ids as written, one a row */
export function examinePatientIds(column: string, ids: readonly string[]): PatientIdFacts {
  const mangled = new Tally();
  const rounded = new Tally();
  const spellings = new Map<string, Set<string>>();
  let missing = 0;
  for (const id of ids) {
    const key = patientKey(id);
    const text = id.trim();
    if (key === null) missing++;
    else if (isFloatMangled(text)) mangled.add(key, text);
    else {
      if (isRoundedInteger(text)) rounded.add(key, text);
      const bare = text
        .toLowerCase()
        .replace(/^(\d+)\.0+$/, '$1')
        .replace(/^0+(?=\d+$)/, '');
      const known = spellings.get(bare);
      if (known === undefined) spellings.set(bare, new Set([text]));
      else known.add(text);
    }
  }
  const bare = [...spellings.keys()];
  const textual = bare.filter((each) => !/^\d+$/.test(each));
  return {
    column,
    rows: ids.length,
    missing,
    mangled: mangled.facts(),
    rounded: rounded.facts(),
    respelt: [...spellings.values()].filter((each) => each.size > 1).map((each) => [...each]),
    numbers: bare.length - textual.length,
    texts: textual.length,
    exampleText: textual[0] ?? null,
  };
}

/** What to tell the reader about mangled and missing identifiers; empty when all is well. */
export function patientNotes({ column, rows, missing, mangled }: PatientIdFacts): string[] {
  const notes: string[] = [];
  if (mangled !== null) {
    notes.push(
      `${mangled.rows} of ${rows} rows have a float-mangled "${column}" (a number with an exponent): digits were lost, so ` +
        `different patients share an identifier (${mangled.values} distinct values, the largest with ${mangled.largest} rows). ` +
        'Each value is kept together as one patient, which leaks nothing between splits but makes them coarser; ' +
        'with the original identifiers a finer split is possible.',
    );
  }
  if (missing > 0) {
    notes.push(
      `${missing} of ${rows} rows have no "${column}": each is taken as a patient of its own, which may put ` +
        'images of one person on both sides of a split.',
    );
  }
  return notes;
}

/**
 * A long number that went through a double: it equals one exactly (by chance, 1 of 8,192 numbers of 20 digits does, and
 * ever fewer of longer ones), or was filled up with zeros.
 */
function isRoundedInteger(text: string): boolean {
  if (!/^\d{20,308}$/.test(text)) return false;
  return BigInt(Number(text)) === BigInt(text) || /0{6}$/.test(text);
}

class Tally {
  readonly #rows = new Map<string, number>();
  #example = '';

  add(key: string, text: string): void {
    if (this.#rows.size === 0) this.#example = text;
    this.#rows.set(key, (this.#rows.get(key) ?? 0) + 1);
  }

  facts(): MangledIds | null {
    if (this.#rows.size === 0) return null;
    const counts = [...this.#rows.values()];
    const largest = counts.reduce((most, count) => Math.max(most, count), 0);
    const rows = counts.reduce((sum, count) => sum + count, 0);
    return { rows, values: this.#rows.size, largest, example: this.#example };
  }
}
