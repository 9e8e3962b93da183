import type { Browser, Page } from 'playwright-core';
import { expect } from 'vitest';
import { type VisitOptions, visit } from './browser.js';

/** Uses a page that asks the network for nothing and has nothing to complain of. */
export async function quietly<T>(
  browser: Browser,
  address: string,
  options: VisitOptions,
  use: (page: Page) => Promise<T>,
): Promise<T> {
  const { page, requests, complaints } = await visit(browser, address, options);
  try {
    return await use(page);
  } finally {
    await page.context().close();
    expect(requests).toEqual([]);
    expect(complaints).toEqual([]);
  }
}
