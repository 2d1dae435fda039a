import type { Duplex } from 'node:stream';
import { conformance } from '@postern/plugin-sdk/testing';
import plugin from '../src/index.js';
import { desktopPassword, FakeDesktop } from './support/fake-desktop.js';
import { errorOf, isError, ScriptedClient } from './support/scripted-client.js';

async function converse(stream: Duplex, user = 'vaulted'): Promise<ScriptedClient> {
  const client = await ScriptedClient.open(stream, { user });
  await client.connect();
  await client.picture();
  await client.key();
  await client.picture();
  return client;
}

async function refused(stream: Duplex, user: string): Promise<void> {
  const client = await ScriptedClient.open(stream, { user });
  await client.connect().then(
    () => Promise.reject(new Error('let in')),
    (cause: unknown) => {
      if (!/error info \d+/.test(String(cause))) throw cause;
    },
  );
}

conformance(plugin, {
  upstream: async () => {
    const desktop = await FakeDesktop.start();
    const accounts = [
      { login: 'vaulted', secret: 'desktop' },
      { login: 'forbidden', secret: 'desktop' },
    ];
    return {
      spec: desktop.spec({ accounts }),
      credentials: { secret: async () => desktopPassword },
      // Keys alone are effects: fast-path input.
      received: () => Buffer.concat(desktop.connections.flatMap(({ received }) => received)),
      close: () => desktop[Symbol.asyncDispose](),
    };
  },
  access: { logins: ['vaulted'] },
  conversation: { connect: async (stream) => void (await converse(stream)) },
  effect: Buffer.from([0x04, 4, 0, 0x1e]),
  forbidden: { connect: (stream) => refused(stream, 'forbidden') },
  never: 'forbidden',
  refusal: { connect: (stream) => refused(stream, 'vaulted') },
  farewell: {
    connect: async (stream, cut) => {
      const client = await converse(stream);
      cut();
      if (errorOf(await client.until(isError)) !== 1) throw new Error('no word of an administrator');
    },
  },
  connectOptions: { user: 'vaulted', local: { kind: 'port', host: '127.0.0.1', port: 1 } },
  patienceMs: 30_000,
});
