import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Readable } from 'node:stream';
import { until } from '../../../../test/support/cluster.js';
import { app, AppWorld, type Visitor } from './app-world.js';
import { blocks } from './page-protocol.js';
import { head, say } from './raw-browser.js';

describe('what streams through the gateway of browsers', function () {
  this.timeout(60_000);
  let world: AppWorld;
  let ann: Visitor;
  before(async () => {
    world = await AppWorld.start();
    ann = await world.enter('ann');
  });
  after(() => world[Symbol.asyncDispose]());

  const begin = (first: string, fields: Readonly<Record<string, string>> = {}, pattern = /\r\n\r\n/) =>
    say(
      world.cluster,
      app,
      head(first, { host: app, cookie: ann.cookie, origin: `https://${app}`, ...fields }),
      pattern,
    );

  it('is events, as they happen', async () => {
    const { stream, all } = await begin('GET /events', {}, /first/);
    assert.match(all(), /text\/event-stream[^]*data: first/);
    assert.equal(stream.destroyed, false);
    stream.destroy();
  });

  it('is 16 MB in either direction', async () => {
    const bytes = 16_000_000;
    const download = await begin(`GET /bytes?${bytes}`);
    await until(() => download.stream.bytesRead >= bytes, 50_000);
    download.stream.destroy();
    const upload = await begin('POST /sum', { 'content-length': String(bytes) }, /^/);
    Readable.from(blocks(bytes)).pipe(upload.stream, { end: false });
    await until(() => upload.all().endsWith(`\r\n\r\n${bytes}`), 50_000);
    upload.stream.destroy();
  });

  it('is no more than the browser reads', async () => {
    const bytes = 2_000_000_000;
    const { stream } = await begin(`GET /bytes?${bytes}`);
    stream.pause();
    const before = process.memoryUsage().arrayBuffers;
    const sent = await whenStill(() => world.told.sent);
    assert.ok(sent < 100_000_000, `${sent} bytes were sent`);
    const kept = process.memoryUsage().arrayBuffers - before;
    assert.ok(kept < 32_000_000, `${kept} bytes are kept`);
    stream.destroy();
  });

  it('is no more than the application reads', async () => {
    const { stream } = await begin('POST /deaf', { 'content-length': '2000000000' }, /^/);
    const before = process.memoryUsage().arrayBuffers;
    Readable.from(blocks(2_000_000_000)).pipe(stream, { end: false });
    const taken = await whenStill(() => stream.bytesWritten);
    assert.ok(taken < 100_000_000, `${taken} bytes were taken`);
    const kept = process.memoryUsage().arrayBuffers - before;
    assert.ok(kept < 32_000_000, `${kept} bytes are kept`);
    stream.destroy();
    // Whoever does not read does not see either that nobody writes any more.
    await ann.leave();
  });
});

/** A figure, once it has not changed for a while. */
async function whenStill(figure: () => number): Promise<number> {
  let [last, times] = [-1, 0];
  await until(async () => {
    await sleep(50);
    times = figure() === last ? times + 1 : 0;
    last = figure();
    return times >= 10;
  }, 50_000);
  return last;
}
