import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { newIssuer, refusal } from './support.js';

const part = (token: string, index: number): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[index] ?? '', 'base64url').toString()) as Record<string, unknown>;

describe('an assertion', () => {
  const clock = { now: new Date('2026-05-01T12:00:00Z') };

  it('verifies by the published key that it names', async () => {
    const issuer = await newIssuer({ clock });
    const token = await issuer.signAssertion({
      subject: 'alice',
      audience: 'https://app.test',
      claims: { groups: ['a'] },
    });
    const [jwk] = issuer.bundle('jwt').jwks;
    assert.ok(jwk);
    assert.deepEqual(part(token, 0), { alg: 'ES256', typ: 'JWT', kid: jwk.kid });
    const [header, body, signature = ''] = token.split('.');
    const key = createPublicKey({ key: { ...jwk }, format: 'jwk' });
    const raw = Buffer.from(signature, 'base64url');
    assert.equal(raw.length, 64);
    assert.ok(verify('sha256', Buffer.from(`${header}.${body}`), { key, dsaEncoding: 'ieee-p1363' }, raw));
  });

  it('says who, to whom, by whom and until when', async () => {
    const issuer = await newIssuer({ clock });
    const { jti, ...body } = part(
      await issuer.signAssertion({ subject: 'alice', audience: 'app', claims: { via: 'web' } }),
      1,
    );
    assert.equal(typeof jti, 'string');
    const iat = clock.now.getTime() / 1000;
    const want = {
      via: 'web',
      iss: 'https://cluster.test',
      sub: 'alice',
      aud: 'app',
      iat,
      nbf: iat - 60,
      exp: iat + 300,
    };
    assert.deepEqual(body, want);
  });

  it('cannot be given an issuer, a subject or an end by its claims', async () => {
    const issuer = await newIssuer({ clock });
    for (const name of ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti'])
      await assert.rejects(
        issuer.signAssertion({ subject: 'alice', audience: 'app', claims: { [name]: 'x' } }),
        refusal('invalid_argument', /set by the issuer/),
      );
  });

  it('lasts an hour at most, and fits a header', async () => {
    const issuer = await newIssuer({ clock });
    const long = part(await issuer.signAssertion({ subject: 'a', audience: 'b', lifetimeMs: 1e12 }), 1);
    assert.equal(long['exp'], clock.now.getTime() / 1000 + 3600);
    await assert.rejects(
      issuer.signAssertion({ subject: 'a', audience: 'b', claims: { groups: 'x'.repeat(9000) } }),
      refusal('invalid_argument', /too long/),
    );
  });
});
