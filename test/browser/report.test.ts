import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { writeReport } from '../../src/report/report.js';
import type { LookAt } from '../../src/report/samples/looked.js';
import { writeDataset, writeRun } from '../report/made-up-run.js';
import { NO_BROWSER, overhang, seriousIssues, startBrowser, type VisitOptions } from './browser.js';
import { quietly } from './quietly.js';

/** The report as a reader has it: from a file, in a browser. */

const CLASSES = ['Normal', 'effusion', '<script>alert(1)</script>', 'a "b" & c', 'rare', 'rarer'];
const folder = join(process.env.TMPDIR ?? '/tmp', `tailray-browser-${process.pid}`);
let browser: Browser;
let address = '';

beforeEach(({ skip }) => skip(NO_BROWSER !== null, NO_BROWSER ?? ''));

beforeAll(async () => {
  if (NO_BROWSER !== null) return;
  const data = await writeDataset(join(folder, 'data'), {
    classes: CLASSES,
    nameOf: (i) => `<img src=x onerror=alert(${i})>`,
  });
  const run = await writeRun(join(folder, 'a-run'), { data });
  const { path } = await writeReport([run], {
    resamples: 20,
    explain: async () => ({ lookAt: lookLeft, pointing: async () => null }),
  });
  address = pathToFileURL(path).href;
  browser = await startBrowser();
});

afterAll(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Maps of which the left quarter is bright. */
const lookLeft: LookAt = async (requests) =>
  requests.map(() => ({
    map: Float32Array.from({ length: 64 }, (_, i) => (i % 8 < 2 ? 1 : 0)),
    width: 8,
    height: 8,
    method: 'made-up map',
  }));

const opened = <T>(options: VisitOptions, use: (page: Page) => Promise<T>) =>
  quietly(browser, address, options, use);

const dialogState = (page: Page) =>
  page.evaluate(() => {
    const find = (selector: string) => document.querySelector<HTMLElement>(`dialog.viewer ${selector}`)!;
    const transfer = find('feFuncR');
    return {
      open: document.querySelector<HTMLDialogElement>('dialog.viewer')!.open,
      place: find('.viewer-place').textContent?.split(':')[0],
      title: find('#viewer-title').textContent ?? '',
      map: find('.stage-picture .map').style.opacity,
      slope: Number(transfer.getAttribute('slope')),
      intercept: Number(transfer.getAttribute('intercept')),
    };
  });

describe('the report in a browser', () => {
  test('opens from a file without a request or a complaint, and shows every plot and picture', async () => {
    await opened({}, async (page) => {
      const plots = page.locator('figure.plot');
      expect(await plots.count()).toBeGreaterThan(20);
      for (const plot of await plots.all()) {
        const drawing = plot.locator('svg').first();
        expect(await drawing.getAttribute('aria-label')).toBeTruthy();
        const box = await drawing.boundingBox();
        expect(Math.min(box?.width ?? 0, box?.height ?? 0)).toBeGreaterThan(60);
        await plot.locator('details summary').click();
        expect(await plot.locator('details tbody tr').count()).toBeGreaterThan(0);
        expect(await plot.locator('details table').isVisible()).toBe(true);
      }
      const decoded = await page.evaluate(async () => {
        const images = [...document.querySelectorAll('image')];
        const sizes = await Promise.all(
          images.map(async (image) => {
            const picture = new Image();
            picture.src = image.getAttribute('href') ?? '';
            await picture.decode();
            return picture.naturalWidth;
          }),
        );
        return { sizes, used: document.querySelectorAll('.radiograph .film').length };
      });
      expect(decoded.used).toBeGreaterThan(20);
      expect(decoded.sizes.every((width) => width === 8)).toBe(true);
    });
  });

  test('shows where the model looked beside the radiograph, with score and side', async () => {
    await opened({}, async (page) => {
      const cases = page.locator('figure.case');
      const insets = cases.locator('.inset');
      expect(await insets.count()).toBe(await cases.count());
      expect(await insets.first().getAttribute('aria-label')).toMatch(
        /^Where the model looked for .*: R 100 %, L 0/,
      );
      expect(await cases.first().locator('.radiograph').getAttribute('aria-label')).toMatch(
        /score (0|1)\.\d+/,
      );
      const [left, right] = await insets.first().evaluate((inset) => {
        const map = inset.querySelector('.map')!.getBoundingClientRect();
        const film = inset.querySelector('.film')!.getBoundingClientRect();
        return [
          [map.left, map.top, map.width, map.height],
          [film.left, film.top, film.width, film.height],
        ];
      });
      expect(left).toEqual(right);
    });
  });

  test.each(['light', 'dark'] as const)(
    'has no serious fault for assistive technology, %s',
    async (scheme) => {
      await opened({ scheme }, async (page) => {
        expect(await seriousIssues(page)).toEqual([]);
        await page.locator('button.enlarge').first().click();
        expect(await seriousIssues(page)).toEqual([]);
      });
    },
  );

  test('leaves names of classes and files text', async () => {
    await opened({}, async (page) => {
      let dialogs = 0;
      page.on('dialog', (dialog) => {
        dialogs++;
        return dialog.dismiss();
      });
      expect(await page.locator('h4', { hasText: '<script>alert(1)</script>' }).count()).toBeGreaterThan(0);
      expect(await page.locator('.id', { hasText: '<img src=x onerror=' }).count()).toBeGreaterThan(0);
      const third = page.locator('figure.case', { hasText: '<script>alert(1)</script>' });
      await third.locator('button.enlarge').first().click();
      await page.keyboard.press('ArrowRight');
      expect(await page.locator('dialog .id').textContent()).toContain('<img src=x onerror=');
      const made = await page.evaluate(() => [
        document.querySelectorAll('script').length,
        document.querySelectorAll('img').length,
      ]);
      expect(made).toEqual([1, 0]);
      expect(dialogs).toBe(0);
    });
  });

  test('goes through the images by keyboard alone', async () => {
    await opened({}, async (page) => {
      const buttons = page.locator('button.enlarge');
      const total = await buttons.count();
      await buttons.nth(1).focus();
      await page.keyboard.press('Enter');
      const state = () => expect.poll(() => dialogState(page));
      await state().toMatchObject({ open: true, place: `2 of ${total}`, map: '1', slope: 1, intercept: 0 });
      await page.keyboard.press('ArrowRight');
      await state().toMatchObject({ place: `3 of ${total}` });
      await page.keyboard.press('o');
      await page.keyboard.press('i');
      await state().toMatchObject({ map: '0', slope: -1, intercept: 1 });
      await page.keyboard.press('o');
      await page.keyboard.press('r');
      await state().toMatchObject({ map: '1', slope: 1 });
      await page.keyboard.press('End');
      await state().toMatchObject({ place: `${total} of ${total}` });
      await page.keyboard.press('ArrowRight');
      await page.keyboard.press('Home');
      await page.keyboard.press('ArrowLeft');
      await state().toMatchObject({ place: `1 of ${total}` });
      // a slider has the arrows for itself, and they change no image
      await page.locator('#viewer-width').focus();
      for (let i = 0; i < 50; i++) await page.keyboard.press('ArrowLeft');
      await state().toMatchObject({ place: `1 of ${total}`, slope: 2, intercept: -0.5 });
      await page.keyboard.press('Escape');
      await state().toMatchObject({ open: false });
      // the browser gives the focus back to the image that was opened first, and then the dialog to the last one
      await expect
        .poll(() => buttons.first().evaluate((button) => button === document.activeElement))
        .toBe(true);
    });
  });

  test('has its controls in the order in which they stand', async () => {
    await opened({}, async (page) => {
      await page.locator('button.enlarge').nth(1).click();
      const order: string[] = [];
      for (let i = 0; i < 9; i++) {
        await page.keyboard.press('Tab');
        order.push(
          await page.evaluate(() => {
            const { dataset } = document.activeElement as HTMLElement;
            return dataset.do ?? dataset.set ?? '';
          }),
        );
      }
      expect(order).toEqual([
        'close',
        'width',
        'level',
        'invert',
        'reset',
        'map',
        'strength',
        'previous',
        'next',
      ]);
    });
  });

  test('sets window and level by dragging, and the picture changes', async () => {
    await opened({}, async (page) => {
      await page.locator('button.enlarge').first().click();
      await page.keyboard.press('o');
      const stage = page.locator('.stage');
      const before = await stage.screenshot();
      const box = (await stage.boundingBox())!;
      await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width / 4, box.y + box.height / 2 + 100);
      await page.mouse.up();
      const { slope, intercept } = await dialogState(page);
      expect(slope).toBeCloseTo(2, 1);
      expect(intercept).toBeLessThan(-0.5);
      expect((await stage.screenshot()).equals(before)).toBe(false);
      await page.keyboard.press('r');
      await page.keyboard.press('o');
      expect((await stage.screenshot()).equals(before)).toBe(true);
    });
  });

  test('does not scroll sideways on a phone, with all tables open and in the dialog', async () => {
    await opened({ width: 390, height: 844 }, async (page) => {
      expect(await overhang(page)).toBe(0);
      await page.evaluate(() => {
        for (const details of document.querySelectorAll('details')) details.open = true;
      });
      expect(await overhang(page)).toBe(0);
      await page.locator('button.enlarge').first().click();
      expect(await overhang(page)).toBe(0);
      const beyond = await page
        .locator('dialog')
        .evaluate((dialog) => dialog.scrollWidth - dialog.clientWidth);
      expect(beyond).toBe(0);
    });
  });

  test('fits the paper when printed', async () => {
    // A4 without the margins of the page
    await opened({ width: 688, height: 973 }, async (page) => {
      await page.emulateMedia({ media: 'print' });
      expect(await overhang(page)).toBe(0);
    });
  });
});
