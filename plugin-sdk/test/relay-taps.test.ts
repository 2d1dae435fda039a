import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { PosternError, relay, type Tapped } from '@postern/plugin-sdk';
import { duplexPair } from '@postern/plugin-sdk/testing';
import { assertUntouched, rejectsWith, relayed, text, turns } from './support/relayed.js';

describe('relay taps', () => {
  it('see the chunks in order before they are forwarded', async () => {
    const seen: string[] = [];
    const { client, upstream, done } = relayed({
      fromClient: (chunk) => void seen.push(`client ${chunk.toString()}, forwarded ${far.join('')}`),
    });
    const far: string[] = [];
    upstream.on('data', (chunk: Buffer) => far.push(chunk.toString()));
    for (const part of ['a', 'b', 'c']) {
      client.write(part);
      await turns();
    }
    assert.deepEqual(seen, ['client a, forwarded ', 'client b, forwarded a', 'client c, forwarded ab']);
    client.end();
    upstream.end();
    client.resume();
    await done;
  });

  it('hold one direction until they settle, and not the other', async () => {
    let release = (): void => {};
    const { client, upstream, done } = relayed({
      fromClient: () => new Promise<void>((resolve) => (release = resolve)),
    });
    const far: string[] = [];
    const near: string[] = [];
    upstream.on('data', (chunk: Buffer) => far.push(chunk.toString()));
    client.on('data', (chunk: Buffer) => near.push(chunk.toString()));
    client.end('held');
    upstream.end('free');
    await turns();
    assert.deepEqual([far, near], [[], ['free']]);
    release();
    await done;
    assert.deepEqual(far, ['held']);
  });

  it('replace what is forwarded, or swallow it', async () => {
    const answers: Record<string, Tapped | Promise<Tapped>> = {
      one: undefined,
      two: Buffer.from('TWO'),
      three: Promise.resolve(Buffer.from('THREE')),
      four: Buffer.alloc(0),
      five: Promise.resolve(Buffer.alloc(0)),
      six: Promise.resolve(undefined),
    };
    const { client, upstream, done } = relayed({ fromUpstream: (chunk) => answers[chunk.toString()] });
    for (const part of Object.keys(answers)) {
      upstream.write(part);
      await turns();
    }
    upstream.end();
    client.end();
    upstream.resume();
    assert.equal(await text(client), 'oneTWOTHREEsix');
    await done;
  });

  it('see the head before anything else', async () => {
    const seen: string[] = [];
    const { client, upstream, done } = relayed({
      head: { client: Buffer.from('head') },
      fromClient: async (chunk) => {
        await turn();
        seen.push(chunk.toString());
      },
    });
    client.end('body');
    upstream.end();
    client.resume();
    assert.equal(await text(upstream), 'headbody');
    assert.deepEqual(seen, ['head', 'body']);
    await done;
  });

  const failures: Record<string, () => Tapped | Promise<Tapped>> = {
    throws: () => {
      throw new PosternError('access_denied', 'not this');
    },
    rejects: () => Promise.reject(new PosternError('access_denied', 'not this')),
  };
  for (const [how, fail] of Object.entries(failures)) {
    it(`end the relay when one ${how}, and forward nothing`, async () => {
      const { client, upstream, near, far, done } = relayed({ fromClient: fail });
      let forwarded = 0;
      upstream.on('data', () => (forwarded += 1));
      client.write('forbidden');
      await rejectsWith('access_denied', done);
      client.write('and more');
      upstream.write('answer');
      await turns();
      assert.equal(forwarded, 0);
      assertUntouched(near, far);
    });

    it(`end the relay when one ${how} at the head, and read nothing more`, async () => {
      let calls = 0;
      const { client, near, far, done } = relayed({
        head: { client: Buffer.from('forbidden') },
        fromClient: () => {
          calls += 1;
          return fail();
        },
      });
      client.write('more');
      await rejectsWith('access_denied', done);
      await turns();
      assert.equal(calls, 1);
      assertUntouched(near, far);
    });
  }

  it('that answer nonsense end the relay and not the process', async () => {
    for (const nonsense of [42 as unknown as Buffer, Promise.resolve(42 as unknown as Buffer)]) {
      const { client, done } = relayed({ fromClient: () => nonsense });
      client.write('x');
      await assert.rejects(done, TypeError);
    }
  });

  it('forward nothing that was held when the relay ended', async () => {
    const stop = new AbortController();
    let release = (): void => {};
    const { client, upstream, done } = relayed({
      signal: stop.signal,
      fromClient: () => new Promise<void>((resolve) => (release = resolve)),
    });
    let forwarded = 0;
    upstream.on('data', () => (forwarded += 1));
    client.write('held');
    await turns();
    stop.abort();
    await rejectsWith('aborted', done);
    release();
    await turns();
    assert.equal(forwarded, 0);
  });
});

describe('relay that is stopped or broken', () => {
  it('rejects with aborted, and leaves the streams to the caller', async () => {
    const stop = new AbortController();
    const { near, far, done } = relayed({ signal: stop.signal });
    stop.abort();
    await rejectsWith('aborted', done);
    assert.equal(near.destroyed || far.destroyed, false);
    assertUntouched(near, far);
  });

  it('does not begin where the signal has aborted', async () => {
    let tapped = 0;
    const { client, near, far, done } = relayed({ signal: AbortSignal.abort(), fromClient: () => void (tapped += 1) });
    client.write('x');
    await rejectsWith('aborted', done);
    await turns();
    assert.equal(tapped, 0);
    assertUntouched(near, far);
  });

  for (const side of ['near', 'far'] as const) {
    it(`ends when the ${side} side is destroyed`, async () => {
      const streams = relayed();
      streams[side].destroy();
      await rejectsWith('aborted', streams.done);
      assertUntouched(streams.near, streams.far);
    });

    it(`rejects with the failure of the ${side} side`, async () => {
      const streams = relayed();
      const failure = new Error('connection reset');
      streams[side].destroy(failure);
      await assert.rejects(streams.done, failure);
    });

    it(`does not wait for a ${side} side that was destroyed before`, async () => {
      const [near, far] = [duplexPair()[0], duplexPair()[0]];
      (side === 'near' ? near : far).destroy();
      await rejectsWith('aborted', relay(near, far));
      assertUntouched(near, far);
    });
  }

  it('says so when the end could not be delivered, instead of calling it done', async () => {
    const [client, near] = duplexPair();
    const stuck = new Duplex({ read() {}, write() {}, highWaterMark: 1 });
    stuck.on('error', () => {});
    const done = relay(near, stuck);
    client.end('never arrives');
    await turns();
    stuck.destroy();
    await assert.rejects(done);
  });

  it('resolves for two sides that had both finished', async () => {
    const [client, near] = duplexPair();
    const [far, upstream] = duplexPair();
    for (const stream of [client, upstream]) stream.end();
    for (const stream of [near, far]) stream.resume().end();
    for (const stream of [client, upstream]) stream.resume();
    await turns();
    assert.ok(near.destroyed && far.destroyed);
    await relay(near, far);
  });
});
