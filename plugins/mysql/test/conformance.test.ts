import { conformance, type Step } from '@postern/plugin-sdk/testing';
import { capability } from '../src/capabilities.js';
import { encodeResponse } from '../src/handshake.js';
import plugin from '../src/index.js';
import { usualGreeting } from '../src/learned-greetings.js';
import { encodePacket } from '../src/wire.js';
import { MariadbServer, needMariadb } from './support/mariadb-server.js';

const command = (byte: number, text = ''): Buffer =>
  encodePacket(0, Buffer.concat([Buffer.from([byte]), Buffer.from(text)]));

/** What a client answers that was greeted before TLS, where the kit's clients come from. */
const login = (database: string): Buffer =>
  encodePacket(
    2,
    encodeResponse({
      capabilities: usualGreeting.capabilities | capability.connectWithDatabase,
      mariadb: 0,
      maxPacket: 1 << 24,
      charset: 45,
      user: 'app',
      proof: Buffer.alloc(0),
      database,
      method: 'mysql_native_password',
      attributes: Buffer.alloc(0),
    }),
  );

/** An OK packet. */
const ok = /^[^]{3}\x03\0\0\0/;
const enter: readonly Step[] = [{ send: login('bench') }, { expect: ok }];

describe('with a real server', function () {
  this.timeout(60_000);
  before(function () {
    needMariadb(this);
  });
  conformance(plugin, {
    upstream: async () => {
      const server = await MariadbServer.start({
        sql: `create database bench; create user app identified by 'pencil'; grant all on *.* to app;`,
      });
      return {
        spec: {
          host: server.host,
          port: server.port,
          tls: { mode: 'disable' },
          auth: { method: 'password', secret: 'bench' },
        },
        credentials: { secret: async () => 'pencil' },
        close: () => server[Symbol.asyncDispose](),
      };
    },
    access: { users: ['app'], databases: ['bench'] },
    conversation: { steps: [...enter, { send: command(3, "select concat('eff', 'ect')") }, { expect: /effect/ }] },
    effect: "concat('eff', 'ect')",
    forbidden: { send: login('mysql'), receive: /^[^]{3}\x03\xff\x15\x04#28000access denied/ },
    refusal: /^[^]{3}\x03\xff\x15\x04#28000/,
    farewell: /\xff\x87\x07#70100[^]*locked by an administrator/,
    oversized: {
      send: Buffer.from([0xff, 0xff, 0xff, 2, 0]),
      receive: /^[^]{3}\x02\xff/,
    },
    bulk: { steps: [...enter, { send: command(3, "select repeat('x', 6000000)") }], bytes: 6_000_000 },
    connectOptions: { user: 'app', local: { kind: 'socket', path: '/run/user/1000/mysql' } },
    patienceMs: 10_000,
  });
});
