// @ts-check
/**
 * `node scripts/screenshots.mjs [RUN]`: the pictures of a report in docs/, from the run that `npm run demo` leaves or another
 * one whose report is written. Needs Chromium.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createJiti } from 'jiti';
import sharp from 'sharp';
import { ROOT } from './setup.mjs';

const source = createJiti(import.meta.url);
/** @type {typeof import('../test/browser/browser.js')} */
const { NO_BROWSER, startBrowser, visit } = await source.import('../test/browser/browser.ts');

const [run = join(ROOT, 'runs/demo/run')] = process.argv.slice(2);
const report = join(run, 'report.html');
if (NO_BROWSER !== null) throw new Error(NO_BROWSER);
if (!existsSync(report)) throw new Error(`${report}: there is no report; npm run demo writes one.`);

const browser = await startBrowser();
try {
  for (const scheme of /** @type {const} */ (['light', 'dark'])) {
    for (const [width, height] of /** @type {const} */ ([
      [1280, 1500],
      [390, 1500],
    ])) {
      await shoot({ scheme, width, height });
    }
  }
} finally {
  await browser.close();
}

/** @param {{ scheme: 'light' | 'dark', width: number, height: number }} view */
async function shoot({ scheme, width, height }) {
  const { page } = await visit(browser, pathToFileURL(report), { scheme, width, height });
  const name = `${width}-${scheme}`;
  await write(`report-${name}`, await page.screenshot());
  await page
    .locator('.class-images')
    .first()
    .evaluate((block) => block.scrollIntoView());
  await write(`report-images-${name}`, await page.screenshot());
  await page.setViewportSize({ width, height: 844 });
  await page.locator('.class-images button.enlarge').first().click();
  await write(`report-enlarged-${name}`, await page.screenshot());
  await page.context().close();
}

/**
 * @param {string} name
 * @param {Buffer} png
 */
async function write(name, png) {
  const path = join(ROOT, 'docs/report', `${name}.webp`);
  await sharp(png).webp({ quality: 70, effort: 6 }).toFile(path);
  console.log(path);
}
