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
    // starting threads for a handful of small pictures takes longer than decoding them; their own tests ask for some
    env: { TAILRAY_THREADS: '0' },
    pool: 'forks',
    maxWorkers: 2,
  },
});
