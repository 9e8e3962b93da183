import fc from 'fast-check';

/**
 * Property tests draw the same cases every time, so that one commit has one result; TAILRAY_TEST_SEED=N draws others.
 * A property that fails names its seed.
 */
fc.configureGlobal({ seed: Number(process.env.TAILRAY_TEST_SEED ?? 2026) });
