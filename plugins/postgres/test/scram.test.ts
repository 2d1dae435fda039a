import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { createHash } from 'node:crypto';
import { tlsServerEndPoint } from '../src/channel-binding.js';
import { Scram } from '../src/scram.js';
import { Authority } from './support/authority.js';
import { ScramServer } from './support/scram-server.js';

/** Holds the whole exchange; rejects where either side does not know the password. */
async function exchange(
  password: string,
  known: string,
  binding: ConstructorParameters<typeof Scram>[1],
): Promise<void> {
  const client = new Scram(password, binding);
  const server = new ScramServer(known);
  const answer = server.final(await client.final(server.first(client.first())));
  client.verify(answer ?? 'e=invalid-proof');
}

const rejects = (work: () => Promise<unknown>): Promise<void> => assert.rejects(work, { code: 'upstream_auth' });

describe('Scram', () => {
  it('convinces a server that knows the password, and is convinced by it', async () => {
    await exchange('pencil', 'pencil', { kind: 'unsupported' });
    await exchange('pencil', 'pencil', { kind: 'not-offered' });
    await exchange('pencil', 'pencil', { kind: 'tls-server-end-point', data: Buffer.alloc(32, 1) });
  });

  it('normalizes a password as the server does', async () => {
    await exchange('\u2168\u00a0\u00ad', 'IX ', { kind: 'unsupported' });
    await exchange('\u{1f600}\u2460', '\u{1f600}\u2460', { kind: 'unsupported' });
  });

  it('does not convince a server that knows another one', async () => {
    await rejects(() => exchange('pencil', 'eraser', { kind: 'unsupported' }));
  });

  it('tells the server whether it could have bound the channel', () => {
    const first = (binding: ConstructorParameters<typeof Scram>[1]): string => new Scram('x', binding, 'N').first();
    assert.equal(first({ kind: 'unsupported' }), 'n,,n=,r=N');
    assert.equal(first({ kind: 'not-offered' }), 'y,,n=,r=N');
    assert.equal(first({ kind: 'tls-server-end-point', data: Buffer.alloc(0) }), 'p=tls-server-end-point,,n=,r=N');
  });

  it('a server that cannot prove itself is refused', async () => {
    const client = new Scram('pencil', { kind: 'unsupported' });
    const server = new ScramServer('pencil');
    await client.final(server.first(client.first()));
    for (const claim of ['', 'v=', 'v=AAAA', `v=${Buffer.alloc(32).toString('base64')}`, 'e=other-error'])
      assert.throws(() => client.verify(claim), { code: 'upstream_auth' });
  });

  it('a server that proves itself before it was asked is refused', () => {
    assert.throws(() => new Scram('pencil', { kind: 'unsupported' }).verify('v='), { code: 'upstream_auth' });
  });

  for (const [name, message] of [
    ['answers with a nonce of its own', 'r=another,s=AAAA,i=4096'],
    ['adds nothing to our nonce', 'r=N,s=AAAA,i=4096'],
    ['asks for one iteration, to guess from the proof', 'r=N1,s=AAAA,i=1'],
    ['asks for a billion iterations, to keep us busy', 'r=N1,s=AAAA,i=1000000000'],
    ['demands an extension', 'm=x,r=N1,s=AAAA,i=4096'],
    ['sends no salt', 'r=N1,i=4096'],
    ['sends garbage', '\0\0'],
  ] as const)
    it(`a server that ${name} is refused`, () =>
      rejects(() => new Scram('x', { kind: 'unsupported' }, 'N').final(message)));
});

describe('the tls-server-end-point binding', () => {
  it('is the hash of the certificate by the algorithm of its signature', () => {
    using authority = new Authority('binding');
    const { raw } = new X509Certificate(authority.certificate);
    assert.deepEqual(tlsServerEndPoint(raw), createHash('sha256').update(raw).digest());
  });

  it('is missing where the certificate is none', () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from([0x30]), Buffer.from('3082ffff', 'hex'), Buffer.alloc(100, 0x30)])
      assert.equal(tlsServerEndPoint(bytes), undefined);
  });
});
