// @ts-check
/**
 * `npm run shaders -- [options]`: the build, where it is old, and then the judge of GPU kernels (`bench/shaders/main.ts`,
 * whose options these are).
 */
import { build, buildIsOld, providePackages, runNodeQuietly, StepFailed, step } from './setup.mjs';

try {
  await providePackages();
  if (buildIsOld()) await step('Build', build);
  process.exitCode = await runNodeQuietly(['dist/bench/shaders/main.js', ...process.argv.slice(2)], {});
} catch (error) {
  if (!(error instanceof StepFailed)) throw error;
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
