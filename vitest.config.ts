import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // package.json maps #src/ to what is built; tests take the source
  resolve: {
    alias: [{ find: /^#src\/(.*)\.js$/, replacement: fileURLToPath(new URL('src/$1.ts', import.meta.url)) }],
  },
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/properties.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // starting threads for a handful of small pictures takes longer than decoding them, and the pictures of tests are
    // of no use to the next start; the tests of both ask for them
    env: { TAILRAY_THREADS: '0', TAILRAY_PICTURE_CACHE: 'none' },
    pool: 'forks',
    maxWorkers: 2,
  },
});
