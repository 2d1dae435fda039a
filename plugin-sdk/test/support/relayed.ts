import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { PosternError, relay, type RelayOptions } from '@postern/plugin-sdk';
import { duplexPair } from '@postern/plugin-sdk/testing';

/** A relay between two pairs: `client` and `upstream` are the far ends that a test holds. */
export function relayed(options: RelayOptions = {}, highWaterMark?: number) {
  const pair = (): [Duplex, Duplex] => duplexPair(highWaterMark === undefined ? {} : { highWaterMark });
  const [client, near] = pair();
  const [far, upstream] = pair();
  for (const stream of [client, near, far, upstream]) stream.on('error', () => {});
  const done = relay(near, far, options);
  done.catch(() => {});
  return { client, near, far, upstream, done };
}

/** Lets everything happen that is ready to. */
export async function turns(count = 10): Promise<void> {
  for (let at = 0; at < count; at += 1) await turn();
}

/** Everything up to the end. Does not destroy the stream, as its own `toArray` would. */
export async function text(stream: Duplex): Promise<string> {
  const parts: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => parts.push(chunk));
  await new Promise((resolve) => stream.once('end', resolve));
  return Buffer.concat(parts).toString();
}

export const rejectsWith = (code: string, work: Promise<unknown>): Promise<void> =>
  assert.rejects(work, (cause: unknown) => {
    assert.ok(PosternError.is(cause), String(cause));
    assert.equal(cause.code, code);
    return true;
  });

/** No listener may stay behind: the next owner of a stream would be called for nothing. */
export function assertUntouched(...streams: Duplex[]): void {
  for (const stream of streams)
    for (const event of ['data', 'drain'])
      assert.equal(stream.listenerCount(event), 0, `a listener of ${event} stayed`);
}
