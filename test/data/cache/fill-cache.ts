import { PictureCache } from '../../../src/data/cache/picture-cache.js';
import { ImageStore } from '../../../src/data/images/image-store.js';
import { preprocessingSchema } from '../../../src/data/images/preprocessing.js';
import { picturePool } from '../../../src/data/threads/picture-pool.js';

/** A program that reads pictures through a cache, over and over: `fill-cache.ts IMAGES CACHE PASSES NAME…`. */

const [root = '', folder = '', passes = '1', ...names] = process.argv.slice(2);
process.stdout.write('begins\n');
let counts = { found: 0, added: 0 };
for (let pass = 0; pass < Number(passes); pass++) {
  const cache = new PictureCache({ folder, onNote: (note) => process.stderr.write(`${note}\n`) });
  // sizes of their own, so that every pass has something to write
  const preprocessing = preprocessingSchema.parse({ size: [60, 50 + pass] });
  const store = new ImageStore({ root, preprocessing, cache, cacheBytes: 0 });
  await Promise.all(names.map((name) => store.prepared(name)));
  counts = { found: counts.found + cache.counts.found, added: counts.added + cache.counts.added };
}
process.stdout.write(`${JSON.stringify({ ...counts, threads: picturePool.threads })}\n`);
