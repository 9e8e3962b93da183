import { fileURLToPath } from 'node:url';

/** The prompts that tailray brings: the 36 findings of CXR-LT 2026. */
export const OUR_PROMPTS = fileURLToPath(new URL('../../prompts/cxrlt2026.yaml', import.meta.url));
