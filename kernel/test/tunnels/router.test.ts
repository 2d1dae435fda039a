import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import {
  hashedPrefix,
  isLabel,
  isReservedName,
  routeLabel,
  routeName,
  Router,
  tunnelProtocol,
  type Destination,
} from '../../src/tunnels/index.js';

const router = new Router({
  cluster: 'Example.COM.',
  isKind: (id) => id === 'vault' || id === 'desk-top',
  appDomains: ['apps.example.net'],
});

const table: readonly { name: string | undefined; alpn?: readonly string[]; want: Partial<Destination> }[] = [
  { name: undefined, want: { kind: 'web' } },
  { name: 'example.com', want: { kind: 'web' } },
  { name: 'EXAMPLE.com.', want: { kind: 'web' } },
  { name: 'localhost', want: { kind: 'web' } },
  { name: '127.0.0.1', want: { kind: 'web' } },
  { name: '::1', want: { kind: 'web' } },
  { name: '[2001:db8::1]', want: { kind: 'web' } },
  { name: 'example.com', alpn: ['h2'], want: { kind: 'web' } },
  { name: 'example.com', alpn: [tunnelProtocol], want: { kind: 'tunnel' } },
  { name: 'db.vault.example.com', alpn: [tunnelProtocol], want: { kind: 'agent', protocol: 'vault', label: 'db' } },
  { name: 'auth.example.com', want: { kind: 'auth' } },
  { name: 'AUTH.Example.com.', want: { kind: 'auth' } },
  { name: 'db.vault.example.com', want: { kind: 'agent', protocol: 'vault', label: 'db' } },
  { name: 'DB-1.Desk-Top.EXAMPLE.com', want: { kind: 'agent', protocol: 'desk-top', label: 'db-1' } },
  { name: 'auth.vault.example.com', want: { kind: 'agent', protocol: 'vault', label: 'auth' } },
  { name: 'shop.apps.example.net', want: { kind: 'web' } },
  { name: 'a.shop.apps.example.net', want: { kind: 'unknown' } },
  { name: 'apps.example.net', want: { kind: 'unknown' } },
  { name: 'db.other.example.com', want: { kind: 'unknown' } },
  { name: 'vault.example.com', want: { kind: 'unknown' } },
  { name: 'a.b.vault.example.com', want: { kind: 'unknown' } },
  { name: '.vault.example.com', want: { kind: 'unknown' } },
  { name: 'a..example.com', want: { kind: 'unknown' } },
  { name: '-a.vault.example.com', want: { kind: 'unknown' } },
  { name: 'a_b.vault.example.com', want: { kind: 'unknown' } },
  { name: `${'a'.repeat(64)}.vault.example.com`, want: { kind: 'unknown' } },
  { name: 'evilexample.com', want: { kind: 'unknown' } },
  { name: 'example.com.evil.net', want: { kind: 'unknown' } },
  { name: 'example.org', want: { kind: 'unknown' } },
];

describe('Router', () => {
  for (const { name, alpn, want } of table)
    it(`leads ${name ?? 'no name'}${alpn ? ` with ${alpn.join()}` : ''} to ${want.kind ?? ''}`, () => {
      const destination = router.resolve(name, alpn);
      assert.deepEqual({ ...destination, reason: undefined }, { ...want, reason: undefined });
    });

  it('leads the name of any resource to the label under which it is registered', () => {
    const property = fc.property(fc.string({ minLength: 1, maxLength: 80, unit: 'grapheme' }), (resource) => {
      assert.deepEqual(router.resolve(routeName('example.com', 'vault', resource)), {
        kind: 'agent',
        protocol: 'vault',
        label: routeLabel(resource),
      });
    });
    fc.assert(property, { numRuns: 300 });
  });
});

describe('routeLabel', () => {
  it('is the name itself where that is a DNS label', () => {
    for (const name of ['db', 'db-1', '1', 'a'.repeat(63)]) assert.equal(routeLabel(name), name);
  });

  it('is a prefix and 26 base32 characters of the SHA-256 of any other name', () => {
    for (const name of ['DB', 'web.example.com', 'a_b', '-a', 'a-', 'a'.repeat(64), 'größe', '']) {
      const label = routeLabel(name);
      assert.match(label, /^sha256-[a-z2-7]{26}$/);
      assert.ok(isLabel(label));
    }
  });

  it('is RFC 4648 base32 of the digest', () => {
    // 26 characters of 5 bits hold the first 130 bits of the digest.
    const characters = routeLabel('DB').slice(hashedPrefix.length);
    const bits = [...characters]
      .map((c) => 'abcdefghijklmnopqrstuvwxyz234567'.indexOf(c).toString(2).padStart(5, '0'))
      .join('');
    const digest = BigInt(`0x${createHash('sha256').update('DB').digest('hex')}`)
      .toString(2)
      .padStart(256, '0');
    assert.equal(bits, digest.slice(0, 130));
  });

  it('cannot be claimed by a resource that is named like the label of another one', () => {
    const victim = routeLabel('Victim');
    assert.ok(isReservedName(victim));
    assert.notEqual(routeLabel(victim), victim);
  });
});
