// Chromium for pytest: a JSON line in, {"open": {...}} or {"call": name of a method of the page, "with": [...]}, and a
// line out, {"answer": ...} or {"error": text}. What a page does unasked is kept: dialogs, errors, and other hosts.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const browser = await chromium.launch({ executablePath: process.argv[2] });
let page;
let events = [];

async function open({ url, width, height }) {
  await page?.context().close();
  const context = await browser.newContext({ viewport: { width, height } });
  page = await context.newPage();
  page.setDefaultTimeout(15_000);
  events = [];
  page.on("dialog", (dialog) => {
    events.push(`dialog: ${dialog.message()}`);
    return dialog.dismiss();
  });
  page.on("pageerror", (error) => events.push(`error: ${error.message}`));
  const { host } = new URL(url);
  page.on("request", (request) => {
    if (new URL(request.url()).host !== host) events.push(`request: ${request.url()}`);
  });
  await page.goto(url);
  await page.waitForSelector("body[data-ready]");
}

async function carriedOut(command) {
  if (command.open) return open(command.open);
  if (command.call === "events") return events;
  const answer = await page[command.call](...command.with);
  return Buffer.isBuffer(answer) ? null : answer;
}

for await (const line of createInterface({ input: process.stdin })) {
  let said;
  try {
    said = { answer: (await carriedOut(JSON.parse(line))) ?? null };
  } catch (error) {
    said = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
await browser.close();
