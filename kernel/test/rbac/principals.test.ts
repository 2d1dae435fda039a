import assert from 'node:assert/strict';
import { certificateLifetime, namesPrincipal, presetRoles, principalsOf } from '../../src/rbac/index.js';
import { everywhere, ledger, protocols, rolesOf } from './world.js';

const traits = { ledger_users: ['app', 'reader'], logins: ['ann', 'NOT VALID'] };
const principals = (documents: Record<string, object>): object =>
  principalsOf({ roles: Object.keys(documents), traits }, rolesOf(documents), protocols);

describe('principalsOf', () => {
  const table: readonly [fact: string, documents: Record<string, object>, want: object][] = [
    ['is empty without roles', {}, {}],
    [
      'names what entries allow on any labels',
      {
        a: {
          allow: {
            ledger: [
              { labels: { env: 'x' }, users: ['b'] },
              { ...everywhere, users: ['a', 'b'] },
            ],
          },
        },
        b: { allow: { ledger: { ...everywhere, users: ['c'] } } },
      },
      { ledger: ['a', 'b', 'c'] },
    ],
    [
      'expands templates, without values that the protocol refuses',
      {
        a: { allow: { desk: { ...everywhere, logins: ['{{internal.logins}}'] } } },
      },
      { desk: ['ann'] },
    ],
    [
      'takes the preset of the protocol for an entry for every kind',
      {
        a: { allow: { '*': everywhere } },
      },
      { faulty: ['app', 'reader'], ledger: ['app', 'reader'] },
    ],
    ['passes over an entry without labels', { a: { allow: { ledger: { users: ['a'] } } } }, {}],
    [
      'leaves out what is denied on every resource',
      {
        a: { allow: { ledger: { ...everywhere, users: ['root', 'app'] } }, deny: { ledger: { users: ['ro*'] } } },
      },
      { ledger: ['app'] },
    ],
    [
      'keeps what is denied on some resources',
      {
        a: {
          allow: { ledger: { ...everywhere, users: ['root'] } },
          deny: { ledger: { labels: { env: 'prod' }, users: ['root'] } },
        },
      },
      { ledger: ['root'] },
    ],
    [
      'leaves out a protocol that is denied altogether',
      {
        a: { allow: { '*': everywhere }, deny: { ledger: {}, faulty: everywhere } },
      },
      {},
    ],
    [
      'is empty for the holder of a role that cannot be read',
      {
        a: { allow: { ledger: { ...everywhere, users: ['a'] } } },
        b: { oops: 1 },
      },
      {},
    ],
  ];
  for (const [fact, documents, want] of table)
    it(fact, () => {
      assert.deepEqual(principals(documents), want);
    });

  it('a protocol that fails names nobody', () => {
    const broken = { ...ledger, auth: { ...ledger.auth, principals: () => assert.fail('principals failed') } };
    const roles = rolesOf({ a: { allow: { ledger: { ...everywhere, users: ['a'] } } } });
    assert.deepEqual(principalsOf({ roles: ['a'], traits }, roles, new Map([['ledger', broken]])), {});
  });

  it('a removed role names nobody', () => {
    assert.deepEqual(principalsOf({ roles: ['gone'], traits }, rolesOf({}), protocols), {});
  });

  it('fits the preset access to the traits of the user', () => {
    const [access] = presetRoles;
    assert.deepEqual(principals({ access: access ?? {} }), { faulty: ['app', 'reader'], ledger: ['app', 'reader'] });
  });
});

describe('namesPrincipal', () => {
  it('knows a name by itself or by a wildcard', () => {
    assert.ok(namesPrincipal(['app', 'dev-*'], 'dev-1'));
    assert.ok(namesPrincipal(['app'], 'app'));
    assert.ok(!namesPrincipal(['app', 'dev-*'], 'root'));
    assert.ok(!namesPrincipal([], ''));
  });
});

describe('certificateLifetime', () => {
  const hour = 3_600_000;
  const table: readonly [documents: Record<string, object>, defaultHours: number, maximumHours: number][] = [
    [{}, 12, 12],
    [{ a: {} }, 12, 12],
    [{ a: { options: { max_certificate_ttl: '1h' } } }, 1, 1],
    [{ a: { options: { max_certificate_ttl: '24h' } } }, 12, 24],
    [{ a: { options: { max_certificate_ttl: '24h' } }, b: { options: { max_certificate_ttl: '8h' } } }, 8, 8],
    [{ a: { options: { max_certificate_ttl: '90d' } } }, 12, 30],
  ];
  for (const [documents, defaultHours, maximumHours] of table)
    it(`of ${JSON.stringify(documents)} is ${defaultHours} h, at most ${maximumHours} h`, () => {
      assert.deepEqual(certificateLifetime({ roles: Object.keys(documents) }, rolesOf(documents)), {
        defaultMs: defaultHours * hour,
        maximumMs: maximumHours * hour,
      });
    });
});
