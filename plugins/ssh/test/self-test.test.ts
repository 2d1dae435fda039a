import assert from 'node:assert/strict';
import { PosternError } from '@postern/plugin-sdk';
import { fakeHost } from '@postern/plugin-sdk/testing';
import { check } from '../src/agent.js';
import { ssh } from '../src/protocol.js';
import { selfTest } from '../src/self-test.js';
import { hooks, type Hooks } from '../src/ssh-connection.js';
import type { ProtocolInternals } from '../src/ssh2-internals.js';

/** The guard, with one of its rules taken out: the message goes past it. */
const withoutRule =
  (type: number): Hooks['guard'] =>
  (guard) => {
    const transport = (guard as unknown as { transport: { inside: { _protocol: ProtocolInternals } } }).transport;
    const unguarded = transport.inside._protocol._onPayload;
    guard.install();
    const guarded = transport.inside._protocol._onPayload;
    transport.inside._protocol._onPayload = (payload) => (payload[0] === type ? unguarded(payload) : guarded(payload));
  };

const broken: readonly { readonly name: string; readonly hooks: Partial<Hooks>; readonly says: RegExp }[] = [
  {
    name: 'the host certificate is not presented',
    hooks: { presentHostCertificate: () => {} },
    says: /at the host certificate: Wrong signature type/,
  },
  {
    name: 'the table of host keys is called something else',
    hooks: {
      presentHostCertificate: (transport) =>
        hooks.presentHostCertificate({ ...transport, inside: { _protocol: { _hostKeys: {} } } } as never),
    },
    says: /at the host certificate/,
  },
  {
    name: 'signatures are announced by the library',
    hooks: { announceSignatures: () => {} },
    says: /at the announcement of signatures: .*nistp521rsa-sha2-512/,
  },
  { name: 'there is no guard', hooks: { guard: () => {} }, says: /at the guard: a packet size of zero was accepted/ },
  { name: 'the guard lets every channel be opened', hooks: { guard: withoutRule(90) }, says: /a packet size of zero/ },
  {
    name: 'the guard does not see requests',
    hooks: { guard: withoutRule(98) },
    says: /at the guard: the connection ended/,
  },
  {
    name: 'the guard does not see data',
    hooks: { guard: withoutRule(94) },
    says: /data beyond the window was accepted/,
  },
];

describe('the self-test', () => {
  it('passes with the library that is installed, in a moment', async () => {
    await selfTest();
    const started = performance.now();
    await selfTest();
    assert.ok(performance.now() - started < 1_000);
  });

  for (const { name, hooks: changed, says } of broken)
    it(`fails where ${name}`, async () => {
      await assert.rejects(selfTest({ ...hooks, ...changed }), (cause) => {
        assert.ok(PosternError.is(cause));
        assert.match(cause.message, says);
        return true;
      });
    });

  it('runs before the plugin serves anybody', async () => {
    const { log, config, logs } = fakeHost({ protocol: ssh, spec: {} });
    await check(config, log);
    assert.ok(logs.every(({ level }) => level !== 'error'));
  });
});
