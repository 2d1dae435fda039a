import assert from 'node:assert/strict';
import { conformance } from '@postern/plugin-sdk/testing';
import { Long } from 'bson';
import plugin from '../src/index.js';
import { ScriptedServer } from './support/scripted-server.js';
import { hello, message, Talk } from './support/talk.js';

const find = (collection: string) => message({ find: collection, filter: { word: 'effect' }, $db: 'shop' });

conformance(plugin, {
  upstream: async () => {
    const server = await ScriptedServer.start({
      users: { app: 'pencil' },
      script: ({ find: collection, $db }) => {
        if (collection === 'slow') return 'silence';
        if (collection !== 'bulk') return undefined;
        const firstBatch = [{ text: 'x'.repeat(3_000_000) }, { text: 'y'.repeat(3_000_000) }];
        return { cursor: { firstBatch, id: Long.ZERO, ns: `${$db}.bulk` }, ok: 1 };
      },
    });
    return {
      spec: {
        ...server.endpoint,
        tls: { mode: 'disable' },
        auth: { method: 'scram-sha-256', secret: 'bench' },
      },
      credentials: { secret: async () => 'pencil' },
      close: () => server[Symbol.asyncDispose](),
    };
  },
  access: { users: ['app'], databases: ['shop'], commands: ['@read', '@write', '@connection'] },
  conversation: {
    steps: [
      { send: hello('app') },
      { expect: /speculativeAuthenticate/ },
      { send: message({ insert: 'things', documents: [{ word: 'effect' }], $db: 'shop' }) },
      { expect: /\x10n\0/ },
      { send: find('nothing') },
      { expect: /firstBatch/ },
    ],
  },
  effect: 'effect',
  forbidden: {
    steps: [
      { send: hello('app') },
      { expect: /speculativeAuthenticate/ },
      { send: message({ find: 'things', filter: { word: 'unheard' }, $db: 'payroll' }) },
      { expect: /errmsg[^]*access denied[^]*Unauthorized/ },
    ],
  },
  never: 'unheard',
  refusal: /errmsg[^]*(Unauthorized|AuthenticationFailed)/,
  farewell: {
    connect: async (stream, cut) => {
      const talk = new Talk(stream);
      await talk.ask(hello('app'));
      talk.send(find('slow'));
      await new Promise<void>((resolve) => setTimeout(resolve, 200));
      cut();
      const { ok, errmsg } = await talk.answer();
      assert.equal(ok, 0);
      assert.match(String(errmsg), /locked by an administrator/);
    },
  },
  oversized: {
    send: Buffer.from('ffffffff0100000000000000dd070000', 'hex'),
    receive: /errmsg[^]*4294967295 bytes was announced/,
  },
  bulk: {
    steps: [{ send: hello('app') }, { expect: /speculativeAuthenticate/ }, { send: find('bulk') }],
    bytes: 6_000_000,
  },
  connectOptions: { user: 'app', local: { kind: 'port', host: '127.0.0.1', port: 27_018 } },
  patienceMs: 10_000,
});
