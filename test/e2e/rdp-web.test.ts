import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { createLock, deleteLock } from '@postern/kernel/api/contract';
import { needProgram } from '@postern/plugin-sdk/testing';
import { bundlePageIfStale } from '../../plugins/rdp/web/build.mjs';
import { closed, until } from '../../plugins/rdp/test/support/programs.js';
import {
  copied,
  differences,
  pasted,
  opaque,
  pixelsOf,
  screenshot,
  testCard,
  type Pixels,
} from '../support/desktop.js';
import { DeskPage } from './support/desk-page.js';

describe('Chromium at a desktop', function () {
  this.timeout(120_000);
  let world: DeskPage;
  const pages: Page[] = [];
  before(async function () {
    const chromium = needProgram(this, 'chromium', 'chromium');
    for (const [program, name] of [
      ['xrdp', 'xrdp'],
      ['Xtigervnc', 'tigervnc-standalone-server'],
      ['tigervncpasswd', 'tigervnc-tools'],
      ['xsetroot', 'x11-xserver-utils'],
      ['xev', 'x11-utils'],
      ['xclip', 'xclip'],
      ['import', 'imagemagick'],
      ['display', 'imagemagick'],
    ] as const)
      needProgram(this, program, name);
    await bundlePageIfStale();
    world = await DeskPage.start(chromium);
  });
  after(() => (world as DeskPage | undefined)?.[Symbol.asyncDispose]());
  afterEach(async () => {
    for (const page of pages.splice(0)) await page.context().close();
    for (const { session = '' } of await world.cluster.events({ types: ['session.start'] }))
      await world.cluster.event({ session, types: ['session.end'] });
  });

  const state = async (page: Page, wanted: string): Promise<void> => {
    await page.locator(`rdp-desktop[state=${wanted}]`).waitFor({ timeout: 60_000 });
  };
  const message = (page: Page): Promise<string> => page.locator('rdp-desktop').getByRole('alert').innerText();

  /** Follows the link of a desktop in the launcher of somebody who has logged in. */
  async function launched(user: string, name = 'desk'): Promise<Page> {
    const page = await world.launcher(user);
    pages.push(page);
    await page.getByRole('link', { name, exact: true }).click();
    return page;
  }

  async function connected(user: string): Promise<Page> {
    const page = await launched(user);
    await state(page, 'connected');
    return page;
  }

  it('shows to the pixel what is on the desktop', async () => {
    const { programs, display } = world.desktop;
    const page = await connected('alice');
    const card = await programs.file('card.ppm', testCard(800, 600));
    await closed(programs.run('display', '-window', 'root', card));
    const truth = pixelsOf(await screenshot(display));
    // The desktop has taken the size of the window.
    assert.equal(differences(truth, pixelsOf(testCard(800, 600))), 0);
    await until(async () => differences(await canvasOf(page), truth) === 0, 60_000);
    const { fields } = await world.cluster.event({ types: ['rdp.login'], user: 'alice' });
    assert.deepEqual([fields['login'], fields['client']], ['na', 'web']);
    const start = await world.cluster.event({ types: ['session.start'], user: 'alice' });
    assert.equal(start.fields['via'], 'web');
  });

  it('brings keys and mouse to a program there', async () => {
    const { programs } = world.desktop;
    const log = join(programs.directory, 'events');
    const program = programs.run('sh', '-c', `exec stdbuf -oL xev -geometry 300x200+100+100 > ${log}`);
    const events = (): Promise<string> => readFile(log, 'utf8').catch(() => '');
    const seen = async (pattern: RegExp): Promise<void> => {
      await until(async () => pattern.test(await events()), 60_000).catch(async (cause: unknown) => {
        throw new Error(`no ${pattern.source} in ${(await events()).slice(-2000)}`, { cause });
      });
    };
    try {
      const page = await connected('alice');
      await seen(/MapNotify/);
      const { x, y } = (await page.locator('canvas').boundingBox()) ?? assert.fail();
      await page.mouse.click(x + 150, y + 160);
      await seen(/ButtonPress event[^]*root:\(150,160\)[^]*button 1/);
      await page.mouse.wheel(0, 200);
      await seen(/ButtonPress[^]*button 5/);
      await page.keyboard.press('KeyP');
      await page.keyboard.press('Shift+Digit1');
      await page.keyboard.press('ArrowLeft');
      await seen(/keysym 0x70, p\)[^]*keysym 0x21, exclam\)[^]*keysym 0xff51, Left\)/);
      await page.locator('rdp-desktop').getByRole('button', { name: 'Ctrl+Alt+Del' }).click();
      await seen(/keysym 0xffe3, Control_L\)[^]*keysym 0xffe9, Alt_L\)[^]*keysym 0xffff, Delete\)/);
    } finally {
      program.kill();
      await closed(program);
    }
  });

  it('leaves the clipboard of the browser alone for whom no role allows it', async () => {
    const { display } = world.desktop;
    const page = await connected('alice');
    await page.evaluate("navigator.clipboard.writeText('of the browser')");
    await using _owner = copied('of the desktop', display);
    await until(async () => (await pasted(display)) === 'of the desktop', 60_000);
    await page.locator('canvas').press('Control+KeyV');
    await world.cluster.event({ user: 'alice', types: ['session.denied'], text: 'clipboard' });
    assert.deepEqual(
      [await page.evaluate('navigator.clipboard.readText()'), await pasted(display)],
      ['of the browser', 'of the desktop'],
    );
  });

  for (const [what, user, name, words] of [
    ['that no role allows', 'bob', 'desk', /account|role|allow/],
    ['that cannot be reached', 'alice', 'gone', /reach/],
  ] as const)
    it(`says so of a desktop ${what}, and offers to try again`, async () => {
      const page = await launched(user, name);
      await state(page, 'ended');
      assert.match(await message(page), words);
      await page.locator('rdp-desktop').getByRole('button', { name: 'Connect again' }).click();
      await state(page, 'ended');
    });

  it('is cut by a lock, says so, and connects again when that is lifted', async () => {
    const page = await connected('alice');
    const { id } = await world.cluster.admin.call(createLock, { target: { user: 'alice' }, message: 'laptop lost' });
    await state(page, 'ended');
    // Whoever ends it first: the proxy, which takes the browser's login away, or the agent, which has more words.
    assert.match(await message(page), /lock/);
    await world.cluster.admin.call(deleteLock, { id });
    await world.cluster.seen();
    await page.locator('rdp-desktop').getByRole('button', { name: 'Connect again' }).click();
    await page.getByLabel('User').waitFor();
  });
});

/** What the page's canvas shows. */
async function canvasOf(page: Page): Promise<Pixels> {
  const { width, height, base64 } = await page.evaluate<{ width: number; height: number; base64: string }>(`(() => {
    const canvas = document.querySelector('rdp-desktop').shadowRoot.querySelector('canvas');
    const { width, height } = canvas;
    const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
    const parts = [];
    for (let at = 0; at < data.length; at += 8192) parts.push(String.fromCharCode(...data.subarray(at, at + 8192)));
    return { width, height, base64: btoa(parts.join('')) };
  })()`);
  return opaque(width, height, Buffer.from(base64, 'base64'));
}
