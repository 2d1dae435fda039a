import assert from 'node:assert/strict';
import { startSession } from '@postern/plugin-sdk/host';
import { duplexPair, fakeHost, type FakeHost, type FakeHostOptions } from '@postern/plugin-sdk/testing';
import plugin from '../../src/index.js';
import { https, type Https } from '../../src/protocol.js';

const allow = { methods: ['*'], paths: ['*'] };

type Options = Partial<Omit<FakeHostOptions<Https>, 'protocol' | 'spec'>>;

/** A session with a client of its own; what came back is text, a character for each byte. */
export async function open(spec: unknown, options: Options = {}) {
  const agent = await plugin.agent();
  const host = fakeHost<Https>({ protocol: https, spec, allow, ...options });
  const [client, near] = duplexPair();
  const session = startSession(host, agent, near);
  const got = { text: '' };
  client.on('data', (chunk: Buffer) => (got.text += chunk.toString('latin1'))).on('error', () => {});
  const over = (): boolean => client.readableEnded || client.destroyed;
  const until = async (pattern: RegExp): Promise<string> => {
    for (let tries = 0; tries < 4000 && !pattern.test(got.text) && !over(); tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 2));
    assert.match(got.text, pattern);
    return got.text;
  };
  const leave = async () => {
    client.end();
    const outcome = await session.done;
    client.destroy();
    return outcome;
  };
  return { host, client, near, got, until, leave, session };
}

/** Says everything, in these pieces, and ends its half; answers what came back. */
export async function say(spec: unknown, pieces: readonly (string | Buffer)[], options: Options = {}) {
  const held = await open(spec, options);
  for (const piece of pieces) held.client.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece);
  held.client.end();
  const outcome = await held.session.done;
  held.client.destroy();
  return { text: held.got.text, host: held.host, outcome };
}

/** Says everything, in these pieces, and listens until the agent has ended the session. */
export async function tell(spec: unknown, pieces: readonly (string | Buffer)[], options: Options = {}) {
  const held = await open(spec, options);
  for (const piece of pieces) held.client.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece);
  const outcome = await held.session.done;
  await eventually(() => held.client.readableEnded || held.client.destroyed);
  held.client.destroy();
  return { text: held.got.text, host: held.host, outcome };
}

/** The fields of all events of requests. */
export const requests = (host: FakeHost<Https>) =>
  host.events.filter(({ type }) => type === 'https.request').map(({ fields }) => fields);

/** The fields of all entries of recordings with this name. */
export const marks = (host: FakeHost<Https>, name: string) =>
  host.recordings.flatMap(({ entries }) =>
    entries.flatMap((entry) => ('mark' in entry && entry.mark === name ? [entry.fields] : [])),
  );

/** Waits until a condition holds. */
export async function eventually(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 4000 && !holds(); tries += 1) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.ok(holds(), holds.toString());
}
