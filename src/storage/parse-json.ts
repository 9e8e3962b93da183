/** What a JSON text says; undefined where it is none, or absent: for texts that a schema checks afterwards. */
export function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
