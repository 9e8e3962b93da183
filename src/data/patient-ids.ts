/**
 * Patient identifiers that a spreadsheet turned into floating point. "1.90E+38" stands for a 39-digit number of which
 * three digits survived, so many patients share one text. What is safe: take the text as one patient. Rows of one
 * patient were mangled alike, so they stay together and a split by patient still leaks nothing; the price is that
 * strangers are tied together, so there are fewer and larger groups than patients, and the reader is told.
 */

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

/** What to tell the reader about mangled and missing identifiers; empty when all is well. */
export function patientNotes(column: string, ids: readonly string[]): string[] {
  const mangled = new Map<string, number>();
  let mangledRows = 0;
  let example = '';
  let missing = 0;
  for (const id of ids) {
    const key = patientKey(id);
    if (key === null) {
      missing++;
    } else if (isFloatMangled(id)) {
      mangledRows++;
      if (example === '') example = id.trim();
      mangled.set(key, (mangled.get(key) ?? 0) + 1);
    }
  }
  const notes: string[] = [];
  if (mangledRows > 0) {
    const largest = Math.max(...mangled.values());
    notes.push(
      `${mangledRows} of ${ids.length} rows have a float-mangled "${column}" such as ${example}: digits were lost, so ` +
        `different patients share an identifier (${mangled.size} distinct values, the largest with ${largest} rows). ` +
        'Each value is kept together as one patient, which leaks nothing between splits but makes them coarser; ' +
        'with the original identifiers a finer split is possible.',
    );
  }
  if (missing > 0) {
    notes.push(
      `${missing} of ${ids.length} rows have no "${column}": each is taken as a patient of its own, which may put ` +
        'images of one person on both sides of a split.',
    );
  }
  return notes;
}
