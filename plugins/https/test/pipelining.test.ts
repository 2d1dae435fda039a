import assert from 'node:assert/strict';
import { Application } from './support/application.js';
import { eventually, open } from './support/stand.js';

const count = 1500;

describe('requests without end of a client that does not read', () => {
  let application: Application;
  before(async () => void (application = await Application.start()));
  after(() => application[Symbol.asyncDispose]());
  beforeEach(() => void (application.seen.length = 0));

  const floods: readonly (readonly [string, string, number])[] = [
    ['small responses', '/small', 200],
    ['denials', '/denied', 403],
    ['refusals of a path', '/a/../b', 400],
  ];
  for (const [what, path, status] of floods)
    it(`attack: ${what} do not pile up`, async function () {
      this.timeout(60_000);
      const held = await open(application.spec, { allow: { methods: ['*'], paths: ['/small'] } });
      held.client.pause();
      held.client.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(count));
      await eventually(() => held.near.writableNeedDrain);
      // Until nothing moves any more, or too much has.
      for (let before = -1; before !== held.near.writableLength && before < 1_000_000;) {
        before = held.near.writableLength;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      assert.ok(held.near.writableLength < 200_000, `${held.near.writableLength} bytes wait for the client`);
      assert.ok(held.near.listenerCount('drain') <= 4, `${held.near.listenerCount('drain')} wait for the client`);
      assert.ok(application.seen.length < count / 2, `${application.seen.length} were served`);
      // It is slow, and not lost.
      held.client.resume();
      const answers = (): number => held.got.text.split(`HTTP/1.1 ${status} `).length - 1;
      for (let tries = 0; tries < 500 && answers() < count; tries += 1)
        await new Promise((resolve) => setTimeout(resolve, 100));
      assert.equal(answers(), count);
      await held.leave();
    });

  it('attack: a client that goes away without having read leaves nothing', async () => {
    const held = await open(application.spec);
    held.client.pause();
    held.client.write('GET /small HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(count));
    await eventually(() => held.near.writableNeedDrain);
    held.client.destroy();
    await held.session.done;
    assert.ok(held.host.dialled.every(({ stream }) => stream.destroyed));
  });
});
