// picture.mjs CHROMIUM PAGE.html PICTURE.png: draw the element #picture of a page. On failure one line says why.
import { pathToFileURL } from "node:url";

const [executablePath, html, png] = process.argv.slice(2);
try {
  const { chromium } = await import("playwright-core");
  const browser = await chromium.launch({ executablePath });
  try {
    const page = await browser.newPage({ viewport: { width: 1600, height: 900 } });
    await page.goto(pathToFileURL(html).href);
    await page.locator("#picture").screenshot({ path: png });
  } finally {
    await browser.close();
  }
} catch (error) {
  console.error(String(error.message).split("\n")[0]);
  process.exitCode = 1;
}
