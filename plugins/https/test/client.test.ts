import assert from 'node:assert/strict';
import type { ClientProfile } from '@postern/plugin-sdk';
import { httpsClient } from '../src/client.js';

describe('curl as it is started for an application', () => {
  const profile = {
    proxy: { host: '10.0.0.1', port: 3080 },
    files: { certificate: '/p/tls.crt', key: '/p/tls.key', authority: '/p/authority.pem' },
    resolves: () => true,
  } as unknown as ClientProfile;
  const target = { hostname: 'wiki.https.test' } as Parameters<NonNullable<typeof httpsClient.connect>>[1];
  const own = ['--no-progress-meter', '--cert', '/p/tls.crt', '--key', '/p/tls.key', '--cacert', '/p/authority.pem'];

  const lines: readonly (readonly [readonly string[], readonly string[], string])[] = [
    [[], [], '/'],
    [['/api?x=1'], [], '/api?x=1'],
    [['-s', '/api'], ['-s'], '/api'],
    [['-sS', '--fail', '/api'], ['-sS', '--fail'], '/api'],
    [['/api', '-s'], ['-s'], '/api'],
    [['-o', '/tmp/x'], ['-o', '/tmp/x'], '/'],
    [['-so', '/tmp/x', '/api'], ['-so', '/tmp/x'], '/api'],
    [['/api', '--output', '/tmp/x'], ['--output', '/tmp/x'], '/api'],
    [['-o/tmp/x', '/api'], ['-o/tmp/x'], '/api'],
    [['-XPUT', '/api', '-d', '/api'], ['-XPUT', '-d', '/api'], '/api'],
  ];
  for (const [args, others, place] of lines)
    it(`with ${args.join(' ') || 'nothing'} asks for ${place}`, () => {
      const command = httpsClient.connect?.(profile, target, { args, options: {} });
      assert.deepEqual(command?.args, [...own, ...others, `https://wiki.https.test:3080${place}`]);
    });
});
