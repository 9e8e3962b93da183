import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';

/**
 * A real browser for tests of pages: Debian's Chromium, driven by Playwright. A page is opened with all that it asks for
 * and complains of written down, since a page of ours may do neither.
 */

const CHROMIUM = process.env.TAILRAY_CHROMIUM ?? '/usr/bin/chromium';

/** Why there is no browser, for `skip`; null where there is one. */
export const NO_BROWSER = existsSync(CHROMIUM)
  ? null
  : `there is no Chromium at ${CHROMIUM} (scripts/install-chromium.sh installs it; TAILRAY_CHROMIUM names another)`;

export function startBrowser(): Promise<Browser> {
  // the tests run as root in containers, where Chromium's sandbox can't be had; the pages are ours
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
}

export interface VisitOptions {
  /** CSS pixels; a large screen when absent. */
  readonly width?: number;
  readonly height?: number;
  readonly scheme?: 'light' | 'dark';
  /** Device pixels a CSS pixel. */
  readonly scale?: number;
}

/** A page that was opened in a context of its own: close it with `page.context().close()`. */
export interface Visit {
  readonly page: Page;
  /** Addresses that the page asked for, without its own and without `data:`; grows as the page goes on. */
  readonly requests: readonly string[];
  /** Errors and warnings of the console, uncaught errors, and what the page's policy refused; grows, too. */
  readonly complaints: readonly string[];
}

/** Opens a page, of a file or a server, and waits until it is loaded. */
export async function visit(
  browser: Browser,
  address: string | URL,
  { width = 1280, height = 900, scheme = 'light', scale = 1 }: VisitOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: scheme,
    deviceScaleFactor: scale,
  });
  const page = await context.newPage();
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => {
    const url = request.url();
    if (url !== String(address) && !url.startsWith('data:')) requests.push(url);
  });
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(String(address), { waitUntil: 'load' });
  return { page, requests, complaints };
}

/** What axe-core finds of serious or critical: `color-contrast: <the element>`. @param within a selector; the whole page when absent */
export async function seriousIssues(page: Page, within = 'html'): Promise<string[]> {
  axeSource ??= readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  await page.evaluate(await axeSource);
  const { violations } = await page.evaluate<AxeResults>(
    `axe.run(${JSON.stringify(within)}, { resultTypes: ['violations'] })`,
  );
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
}

let axeSource: Promise<string> | undefined;

/** Pixels by which the page is wider than the window: above 0, it scrolls sideways. */
export function overhang(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}
