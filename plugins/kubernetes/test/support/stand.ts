import assert from 'node:assert/strict';
import { startSession } from '@postern/plugin-sdk/host';
import { duplexPair, fakeHost, fakeIdentity, type FakeHost } from '@postern/plugin-sdk/testing';
import plugin from '../../src/index.js';
import { kubernetes, type Kubernetes } from '../../src/protocol.js';
import type { FakeApiServer } from './fake-api-server.js';

const allow = {
  users: ['dev'],
  groups: ['developers'],
  namespaces: ['shop'],
  verbs: ['*'],
  resources: ['pods', 'pods/exec', 'pods/portforward', 'configmaps'],
};

/** A session with a client of its own, who is `dev` in the group `developers`; what came back is text. */
export async function open(server: FakeApiServer) {
  const agent = await plugin.agent();
  const host = fakeHost<Kubernetes>({
    protocol: kubernetes,
    spec: server.spec,
    allow,
    identity: fakeIdentity({ principals: { kubernetes: ['dev', 'group:developers'] } }),
    credentials: { secret: async () => server.token },
  });
  const [client, near] = duplexPair();
  const session = startSession(host, agent, near);
  const got = { text: '' };
  client.on('data', (chunk: Buffer) => (got.text += chunk.toString('latin1'))).on('error', () => {});
  const over = (): boolean => client.readableEnded || client.destroyed;
  const until = async (pattern: RegExp): Promise<string> => {
    for (let tries = 0; tries < 2000 && !pattern.test(got.text) && !over(); tries += 1)
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
  return { host, client, got, until, leave, session };
}

/** Says everything at once, and listens until the agent has ended the session. */
export async function tell(server: FakeApiServer, text: string) {
  const held = await open(server);
  held.client.write(text);
  await held.session.done;
  await held.until(/$/);
  held.client.destroy();
  return { text: held.got.text, host: held.host };
}

/** Says everything at once and ends its half, and waits for the end of the session. */
export async function say(server: FakeApiServer, text: string | Buffer) {
  const held = await open(server);
  held.client.write(text);
  held.client.end();
  await held.session.done;
  held.client.destroy();
  return { text: held.got.text, host: held.host };
}

/** The fields of all events of one type. */
export const of = (host: FakeHost<Kubernetes>, type: string) =>
  host.events.filter((event) => event.type === `kubernetes.${type}`).map(({ fields }) => fields);
