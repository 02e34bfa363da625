// A browser with one page, that remembers whatever went wrong in it.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const flags = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
];

// Root has no sandbox in Chromium, and some containers allow it to nobody. The
// pages are this service's own.
async function launch(executable) {
  const asRoot = typeof process.getuid === 'function' && process.getuid() === 0;
  if (!asRoot) {
    try {
      return await chromium.launch({ executablePath: executable, args: flags });
    } catch (error) {
      if (!/sandbox|namespace/i.test(String(error))) throw error;
    }
  }
  return chromium.launch({ executablePath: executable, args: [...flags, '--no-sandbox'] });
}

/** Opens a page of the console; the faults are those since the last call of takeFaults. */
export async function openBrowser({ executable, screenshots }) {
  const browser = await launch(executable);
  const context = await browser.newContext({ viewport: { width: 1360, height: 860 }, colorScheme: 'light', reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  let faults = [];
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => faults.push(`uncaught: ${error.stack ?? error.message}`));
  if (screenshots) await mkdir(screenshots, { recursive: true });
  return {
    page,
    takeFaults() {
      const taken = faults;
      faults = [];
      return taken;
    },
    async screenshot(name) {
      if (!screenshots) return;
      // A viewport as tall as the page shows all of it, with nothing scrolled away.
      const { width, height } = page.viewportSize();
      const tall = await page.evaluate(() => document.documentElement.scrollHeight);
      await page.setViewportSize({ width, height: Math.min(2600, Math.max(height, tall)) });
      await page.waitForTimeout(350);
      await page.screenshot({ path: join(screenshots, `${name}.png`) });
      await page.setViewportSize({ width, height });
    },
    close: () => browser.close(),
  };
}
