import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Dashboard } from '../../src/dashboard/dashboard.js';
import { RunDirectory } from '../../src/train/run/run-directory.js';
import { examineTrainingData, type TrainingData } from '../../src/train/run/training-data.js';
import { testDevice } from '../device.js';
import { tinyRecipe, writeTinyDataset } from '../train/run/tiny-run.js';
import { train } from '../train/run/tiny-training.js';
import { NO_BROWSER, overhang, seriousIssues, startBrowser, visit } from './browser.js';

/** The live page in a real browser, while a real run goes on. */

const SCRIPT = "<script>document.title='owned'</script>";

describe.skipIf(NO_BROWSER)(`the live page${NO_BROWSER ? ` [${NO_BROWSER}]` : ''}`, () => {
  let browser: Browser;
  let folder: string;
  let data: TrainingData;
  // as long as the test lets it
  const recipe = tinyRecipe('schedule.epochs=100000', 'checkpoint.every=100000');

  beforeAll(async () => {
    browser = await startBrowser();
    folder = await mkdtemp(join(tmpdir(), 'tailray-live-'));
    data = await examineTrainingData(await writeTinyDataset(folder, 24, [SCRIPT, 'striped']), recipe);
  });
  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** A run with its page, until it is stopped. */
  async function begin(path: string, resume = false) {
    const run = new RunDirectory(path);
    const stopper = new AbortController();
    const stop = () => stopper.abort();
    const dashboard = await Dashboard.open({
      run,
      recipe,
      resume,
      port: resume ? undefined : 0,
      stop,
      say: () => {},
    });
    dashboard.uses(await testDevice());
    const { signal } = stopper;
    const ended = train(recipe, {
      ...{ data, run, resume, signal, requests: dashboard.requests },
      listen: async (event) => {
        await dashboard.hear(event);
        // the browser wants a processor, too
        if (event.kind === 'step') await setTimeout(25);
      },
    }).then(async ({ summary }) => {
      await dashboard.end('stopped', `Stopped after step ${summary.steps}, and saved.`);
      return summary;
    });
    onTestFinished(async () => {
      stop();
      await ended;
    });
    return { run, dashboard, stop, ended };
  }

  const text = (page: Page, selector: string) => page.locator(selector).innerText();
  const stepOf = async (page: Page) =>
    Number(/step ([\d,]+) of/.exec(await text(page, '[data-part=headline]'))?.[1]?.replaceAll(',', ''));
  const goesBeyond = (page: Page, step: number) =>
    expect.poll(() => stepOf(page), { timeout: 20_000 }).toBeGreaterThan(step);

  test('follows a run, steers it, and finds it again when it is resumed', async () => {
    const first = await begin(join(folder, SCRIPT.replace('/', '')));
    const { page, complaints } = await visit(browser, first.dashboard.address);
    await expect.poll(() => text(page, '#connection')).toBe('Live');
    await goesBeyond(page, 0);
    await goesBeyond(page, await stepOf(page));

    // the same images, looked at anew after each validation
    const scores = () => text(page, '[data-part=predictions]');
    await expect.poll(scores, { timeout: 20_000 }).toMatch(/epoch \d+, and their change since/);
    const before = await scores();
    await expect.poll(scores, { timeout: 20_000 }).not.toBe(before);
    const loaded = page
      .locator('[data-part=predictions] img')
      .evaluateAll((images) => images.map((image) => (image as HTMLImageElement).naturalWidth));
    expect(await loaded).toEqual([16, 16, 16, 16]);
    expect(await page.locator('[data-part=curves] svg').count()).toBe(6);

    await page.getByRole('button', { name: 'Save now' }).click();
    await expect.poll(() => text(page, '#said'), { timeout: 20_000 }).toMatch(/^Saved after step \d+\.$/);
    const saved = Number(/\d+/.exec(await text(page, '#said'))?.[0]);
    expect((await first.run.saved.about())?.progress.step).toBe(saved);

    await page.getByRole('button', { name: 'Profile the next step' }).click();
    await expect
      .poll(() => page.locator('[data-part=kernels] tbody tr').count(), { timeout: 20_000 })
      .toBeGreaterThan(3);

    // names are text
    expect(await text(page, '[data-part=predictions]')).toContain(SCRIPT);
    expect(await page.title()).toMatch(/^\d+ % · /);
    expect(await page.locator('main script').count()).toBe(0);

    expect(await seriousIssues(page)).toEqual([]);
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await overhang(page)).toBe(0);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await seriousIssues(page)).toEqual([]);
    expect(complaints).toEqual([]);

    await page.getByRole('button', { name: 'Save and stop' }).click();
    const { status, steps } = await first.ended;
    expect(status).toBe('stopped');
    await expect.poll(() => text(page, '#connection')).toBe('Waiting for the run …');
    expect(await text(page, '[data-part=headline]')).toContain(`Stopped after step ${steps}, and saved.`);
    expect(await page.getByRole('button', { name: 'Save now' }).isDisabled()).toBe(true);

    // the page was not touched meanwhile
    const again = await begin(first.run.path, true);
    await expect.poll(() => text(page, '#connection'), { timeout: 20_000 }).toBe('Live');
    await goesBeyond(page, steps);
    again.stop();
    expect((await again.ended).steps).toBeGreaterThan(steps);
    await page.context().close();
  });

  test('opens in one browser alone, and says so to another', async () => {
    const { dashboard, stop, ended } = await begin(join(folder, 'second'));
    const { address } = dashboard;
    const { page } = await visit(browser, address);
    await expect.poll(() => text(page, '#connection')).toBe('Live');
    const other = await visit(browser, address);
    expect(await text(other.page, 'body')).toContain('This browser is not known here.');
    // a page of another server can neither read nor press anything
    await other.page.goto('data:text/html,<title>elsewhere</title>');
    const stolen = await other.page.evaluate(
      (url) => fetch(url, { method: 'POST', credentials: 'include' }).then(String, () => 'refused'),
      `${page.url()}stop`,
    );
    expect(stolen).toBe('refused');
    const step = await stepOf(page);
    await goesBeyond(page, step);
    stop();
    await ended;
    await other.page.context().close();
    await page.context().close();
  });
});
