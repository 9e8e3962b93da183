// @ts-check
/**
 * `npm run bench -- [options]`: what the benchmark needs, and then the benchmark itself (`node dist/cli/bench.js`, whose
 * options these are).
 */
import {
  build,
  buildIsOld,
  provideBenchmarkPeers,
  providePackages,
  runNodeQuietly,
  StepFailed,
  step,
} from './setup.mjs';

try {
  await providePackages();
  if (buildIsOld()) await step('Build', build);
  await provideBenchmarkPeers();
  process.exitCode = await runNodeQuietly(['dist/cli/bench.js', ...process.argv.slice(2)], {});
} catch (error) {
  if (!(error instanceof StepFailed)) throw error;
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
