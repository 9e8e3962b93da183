import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Real radiographs that are not part of the project: TAILRAY_SHARED_DATA, or ../shared/data beside the checkout. */
export const sharedData =
  process.env.TAILRAY_SHARED_DATA ?? resolve(fileURLToPath(import.meta.url), '../../../../shared/data');

/** Why a test that needs `name` is skipped, or null when it can run. */
export function missingSharedData(name: string): string | null {
  return existsSync(resolve(sharedData, name))
    ? null
    : `${name} is not in TAILRAY_SHARED_DATA nor in ../shared/data`;
}
