import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { writeReport } from '../../src/report/report.js';
import { writeDataset, writeRun } from '../report/made-up-run.js';
import { NO_BROWSER, overhang, seriousIssues, startBrowser, type VisitOptions } from './browser.js';
import { quietly } from './quietly.js';

/** The overview of several runs as a reader has it: from a file, in a browser. */

const folder = join(process.env.TMPDIR ?? '/tmp', `tailray-overview-browser-${process.pid}`);
let browser: Browser;
let address = '';

beforeEach(({ skip }) => skip(NO_BROWSER !== null, NO_BROWSER ?? ''));

beforeAll(async () => {
  if (NO_BROWSER !== null) return;
  const data = await writeDataset(join(folder, 'data'), { classes: ['a', 'b'], images: 80 });
  const runs: string[] = [];
  for (const [i, skill] of [0.5, 3, 1.5].entries()) {
    const overrides = [`loss.name=${i === 1 ? 'asl' : 'bce'}`, `optimizer.lr=${10 ** -(i + 2)}`];
    runs.push(await writeRun(join(folder, `<script>alert(1)</script> ${i}`), { data, skill, overrides }));
  }
  const { path } = await writeReport(runs, { details: 0, out: join(folder, 'page.html') });
  address = pathToFileURL(path).href;
  browser = await startBrowser();
});

afterAll(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

const opened = <T>(options: VisitOptions, use: (page: Page) => Promise<T>) =>
  quietly(browser, address, options, use);

/** The runs by their last letter, in the order of the rows; and by which column. */
const state = (page: Page) =>
  page.evaluate(() => {
    const rows = Array.from(document.querySelectorAll('table.sortable tbody tr'));
    const sorted = document.querySelector('th[aria-sort]');
    return [
      rows.map((row) => row.querySelector('th')?.textContent?.at(-1)).join(''),
      sorted?.textContent,
      sorted?.getAttribute('aria-sort'),
    ];
  });

test('is sorted by a click on a title or by keyboard, and says so', async () => {
  await opened({}, async (page) => {
    expect(await state(page)).toEqual(['120', 'Validation mAP', 'descending']);
    await page.getByRole('button', { name: 'Validation mAP' }).click();
    expect(await state(page)).toEqual(['021', 'Validation mAP', 'ascending']);
    await page.getByRole('button', { name: 'optimizer.lr' }).focus();
    await page.keyboard.press('Enter');
    expect(await state(page)).toEqual(['012', 'optimizer.lr', 'descending']);
    await page.keyboard.press('Space');
    expect(await state(page)).toEqual(['210', 'optimizer.lr', 'ascending']);
    await page.getByRole('button', { name: 'loss.name' }).click();
    expect((await state(page))[0]).toMatch(/^1/);
    // bce has no such setting: absent values come last, either way
    await page.getByRole('button', { name: 'loss.gammaNeg' }).click();
    expect((await state(page))[0]).toMatch(/^1/);
    await page.getByRole('button', { name: 'loss.gammaNeg' }).click();
    expect((await state(page))[0]).toMatch(/^1/);
  });
});

test.each(['light', 'dark'] as const)(
  'in the %s scheme, axe finds nothing serious, and a phone scrolls no page sideways',
  async (scheme) => {
    await opened({ scheme }, async (page) => expect(await seriousIssues(page)).toEqual([]));
    await opened({ scheme, width: 390 }, async (page) => {
      expect(await overhang(page)).toBe(0);
      expect(await seriousIssues(page)).toEqual([]);
    });
  },
);
