// @ts-check
/** `npm run build`: dist/ anew, from src/ and bench/. */
import { build, StepFailed } from './setup.mjs';

try {
  await build();
} catch (error) {
  if (!(error instanceof StepFailed)) throw error;
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
