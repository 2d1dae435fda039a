import type { Harness } from '@postern/plugin-sdk/testing';
import { fakeMemcached } from './server.js';

const big = `set big 0 0 1000000\r\n${'x'.repeat(1_000_000)}\r\n`;

export const harness: Harness = {
  upstream: fakeMemcached,
  access: { verbs: ['get', 'set'] },
  conversation: { send: 'set a 0 0 5\r\nhello\r\nget a\r\n', receive: /^STORED\r\nVALUE a 0 5\r\nhello\r\nEND\r\n$/ },
  forbidden: { send: 'flush_all\r\n', receive: /^ERROR\r\n$/ },
  refusal: /^SERVER_ERROR access denied\r\n$/,
  farewell: /^SERVER_ERROR locked by an administrator\r\n$/,
  oversized: { send: 'set a 0 0 4294967295\r\n', receive: /^ERROR\r\n$/ },
  bulk: {
    steps: [{ send: big }, { expect: /STORED\r\n/ }, { send: 'get big\r\n'.repeat(8) }],
    bytes: 8_000_000,
  },
};
