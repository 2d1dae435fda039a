import { conformance, findProgram, needProgram } from '@postern/plugin-sdk/testing';
import plugin from '../src/index.js';
import { encodeCommand } from '../src/wire.js';
import { RedisServer } from './support/redis-server.js';

const command = (...words: string[]): Buffer => encodeCommand(words);

describe('with a real server', function () {
  before(function () {
    needProgram(this, 'redis-server', 'redis-server');
  });
  conformance(plugin, {
    upstream: async () => {
      const server = await RedisServer.start(findProgram('redis-server') ?? '', {
        users: { default: 'off', app: 'on >pencil ~* &* +@all' },
      });
      return {
        spec: {
          host: server.host,
          port: server.port,
          user: 'app',
          tls: { mode: 'disable' },
          auth: { method: 'password', secret: 'bench' },
        },
        credentials: { secret: async () => 'pencil' },
        close: () => server[Symbol.asyncDispose](),
      };
    },
    access: { users: ['app'], commands: ['@read', '@write', '@connection'] },
    conversation: {
      steps: [
        { send: command('SET', 'greeting', 'effect') },
        { expect: /\+OK\r\n/ },
        { send: command('GET', 'greeting') },
        { expect: /\$6\r\neffect\r\n/ },
      ],
    },
    effect: 'greeting',
    forbidden: { send: command('EVAL', 'return 1', '0'), receive: /^-NOPERM access denied/ },
    never: 'return 1',
    refusal: /^-(NOPERM|NOAUTH) /,
    farewell: /-NOPERM [^\r]*locked by an administrator/,
    oversized: {
      send: '*1\r\n$4294967296\r\n',
      receive: /^-ERR Protocol error: invalid bulk length\r\n/,
    },
    bulk: {
      steps: [
        { send: command('SETRANGE', 'bulk', '6000000', 'x') },
        { expect: /:6000001\r\n/ },
        { send: command('GET', 'bulk') },
      ],
      bytes: 6_000_000,
    },
    connectOptions: { user: 'app', local: { kind: 'socket', path: '/run/user/1000/redis' } },
    patienceMs: 10_000,
  });
});
