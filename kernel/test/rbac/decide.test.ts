import assert from 'node:assert/strict';
import { decide, type Decision, type Lock } from '../../src/rbac/index.js';
import { books, desk, everywhere, holding, ledger, now, rolesOf, type Circumstances } from './world.js';

const readers = { allow: { ledger: { labels: { env: ['staging', 'prod'] }, users: ['reader'], books: ['*'] } } };
const ask = { user: 'reader', book: 'sales' };

const decided = (documents: Readonly<Record<string, object>>, asked = ask, rest: Circumstances = {}): Decision =>
  decide({ subject: holding(documents, rest), resource: books, protocol: ledger, ask: asked });
const outcome = (decision: Decision): string => (decision.allowed ? 'allowed' : decision.code);

describe('decide', () => {
  const table: readonly [fact: string, documents: Record<string, object>, want: string][] = [
    ['allows what a role allows', { readers }, 'allowed'],
    ['denies without roles', {}, 'access_denied'],
    ['denies what no role mentions', { other: { allow: { desk: { ...everywhere, logins: ['x'] } } } }, 'access_denied'],
    [
      'denies other labels',
      { a: { allow: { ledger: { labels: { env: 'staging' }, users: ['*'], books: ['*'] } } } },
      'access_denied',
    ],
    [
      'denies other access',
      { a: { allow: { ledger: { ...everywhere, users: ['app'], books: ['*'] } } } },
      'access_denied',
    ],
    ['allows by the union of roles', { a: { allow: { desk: { ...everywhere, logins: ['x'] } } }, readers }, 'allowed'],
    [
      'does not put one ask together from two entries',
      {
        a: {
          allow: {
            ledger: [
              { ...everywhere, users: ['reader'] },
              { ...everywhere, books: ['*'] },
            ],
          },
        },
      },
      'access_denied',
    ],
    [
      'allows by the second of several entries',
      {
        a: {
          allow: {
            ledger: [
              { labels: { env: 'dev' }, users: ['x'] },
              { ...everywhere, users: ['reader'], books: ['sales'] },
            ],
          },
        },
      },
      'allowed',
    ],
    [
      'lets a deny of another role win',
      { readers, b: { deny: { ledger: { labels: { env: 'prod' } } } } },
      'access_denied',
    ],
    [
      'lets a deny of access keys win',
      { readers, b: { deny: { ledger: { ...everywhere, books: ['sal*'] } } } },
      'access_denied',
    ],
    [
      'passes over a deny of other access',
      { readers, b: { deny: { ledger: { ...everywhere, books: ['hr'] } } } },
      'allowed',
    ],
    [
      'passes over a deny on other labels',
      { readers, b: { deny: { ledger: { labels: { env: 'staging' } } } } },
      'allowed',
    ],
    ['passes over a deny of another protocol', { readers, b: { deny: { desk: everywhere } } }, 'allowed'],
    [
      'takes a deny without labels for every resource',
      { readers, b: { deny: { ledger: { books: ['sales'] } } } },
      'access_denied',
    ],
    ['takes an empty deny entry for everything', { readers, b: { deny: { ledger: {} } } }, 'access_denied'],
    [
      'lets a deny for every protocol win',
      { readers, b: { deny: { '*': { labels: { env: 'prod' } } } } },
      'access_denied',
    ],
    ['allows nothing by an entry with labels only', { a: { allow: { ledger: everywhere } } }, 'access_denied'],
    [
      'allows nothing by an entry without labels',
      { a: { allow: { ledger: { users: ['*'], books: ['*'] } } } },
      'access_denied',
    ],
  ];
  for (const [fact, documents, want] of table)
    it(fact, () => {
      assert.equal(outcome(decided(documents)), want);
    });

  it('gives the options of all roles of the certificate, those that only restrict included', () => {
    const decision = decided({ readers, base: { options: { audit: 'strict', idle_timeout: '5m' } } });
    assert.ok(decision.allowed);
    assert.equal(decision.options.audit, 'strict');
    assert.equal(decision.options.idleTimeoutMs, 300_000);
  });

  it('names the principals of the entries that allow the ask, without those that are denied', () => {
    const decision = decided({
      a: { allow: { ledger: { ...everywhere, users: ['reader', 'root', 'app'], books: ['sales'] } } },
      b: { allow: { ledger: { ...everywhere, users: ['owner'], books: ['hr'] } } },
      c: { deny: { ledger: { ...everywhere, users: ['ro*t'] } } },
    });
    assert.ok(decision.allowed);
    assert.deepEqual(decision.principals, ['app', 'reader']);
  });

  describe('with templates', () => {
    const byTrait = {
      a: { allow: { ledger: { ...everywhere, users: ['{{internal.users}}'], books: ['{{external.team}}-*'] } } },
    };
    const by = (traits: Record<string, string[]>, asked: typeof ask): string =>
      outcome(decided(byTrait, asked, { identity: { traits } }));

    it('allows what the traits name', () => {
      const traits = { users: ['reader', 'writer'], team: ['core'] };
      assert.equal(by(traits, { user: 'writer', book: 'core-1' }), 'allowed');
      assert.equal(by(traits, { user: 'root', book: 'core-1' }), 'access_denied');
      assert.equal(by(traits, { user: 'writer', book: 'other-1' }), 'access_denied');
    });

    it('allows nothing by a trait that there is not', () => {
      assert.equal(by({ users: ['reader'] }, { user: 'reader', book: '-1' }), 'access_denied');
      assert.equal(by({ team: ['core'] }, { user: '', book: 'core-1' }), 'access_denied');
    });

    it('replaces a single text by one value, and by the list of several', () => {
      const one = { a: { allow: { desk: { ...everywhere, logins: '{{internal.logins}}' } } } };
      for (const logins of [['ann'], ['ann', 'bob']]) {
        const subject = holding(one, { identity: { traits: { logins } } });
        const resource = { ...books, kind: 'desk' };
        assert.equal(outcome(decide({ subject, resource, protocol: desk, ask: { login: 'ann' } })), 'allowed');
      }
    });

    it('leaves out the values of traits that the protocol refuses, and keeps the others', () => {
      const documents = { a: { allow: { desk: { ...everywhere, logins: ['{{internal.logins}}', 'guest'] } } } };
      const subject = holding(documents, { identity: { traits: { logins: ['-oProxyCommand=x', 'ann', ''] } } });
      const at = (login: string): string =>
        outcome(decide({ subject, resource: { ...books, kind: 'desk' }, protocol: desk, ask: { login } }));
      assert.equal(at('ann'), 'allowed');
      assert.equal(at('guest'), 'allowed');
      assert.equal(at('-oProxyCommand=x'), 'access_denied');
    });
  });

  describe('before any role is read', () => {
    const gate: readonly [fact: string, circumstances: Circumstances, want: string][] = [
      ['refuses a locked user', { locks: [{ target: { user: 'alice' } }] }, 'locked'],
      ['refuses the holder of a locked role', { locks: [{ target: { role: 'readers' } }] }, 'locked'],
      ['refuses a locked certificate', { locks: [{ target: { serial: '0A:1B' } }] }, 'locked'],
      ['refuses a user that there is not', { user: 'absent' }, 'unauthenticated'],
      ['refuses a disabled user', { user: { generation: 1, disabled: true } }, 'unauthenticated'],
      [
        'refuses where it is not known whether a user is disabled',
        { user: { generation: 1 } as never },
        'unauthenticated',
      ],
      ['refuses where the generation is not known', { user: { disabled: false } as never }, 'expired'],
      ['refuses an older generation', { user: { generation: 2, disabled: false } }, 'expired'],
      ['accepts a newer generation, since a replica may lag', { identity: { generation: 3 } }, 'allowed'],
      ['accepts a user of a trusted cluster', { user: 'foreign' }, 'allowed'],
      ['refuses at the very end of the certificate', { identity: { expires: now } }, 'expired'],
      ['refuses an end that is no date', { identity: { expires: new Date(Number.NaN) } }, 'expired'],
      ['refuses another address', { identity: { pinnedAddress: '10.0.0.1' }, source: '10.0.0.2' }, 'access_denied'],
      ['refuses an unknown address', { identity: { pinnedAddress: '10.0.0.1' } }, 'access_denied'],
      ['refuses two addresses that are none', { identity: { pinnedAddress: 'x' }, source: 'x' }, 'access_denied'],
      ['accepts the same address', { identity: { pinnedAddress: '10.0.0.1' }, source: '10.0.0.1' }, 'allowed'],
      [
        'accepts the same address mapped',
        { identity: { pinnedAddress: '10.0.0.1' }, source: '::ffff:10.0.0.1' },
        'allowed',
      ],
      [
        'accepts the same address written otherwise',
        { identity: { pinnedAddress: '2001:db8::1' }, source: '2001:DB8:0:0:0:0:0:1' },
        'allowed',
      ],
    ];
    for (const [fact, circumstances, want] of gate)
      it(fact, () => {
        assert.equal(outcome(decided({ readers }, ask, circumstances)), want);
      });

    it('names the lock even where the certificate has expired too', () => {
      const locks: Lock[] = [{ target: { user: 'alice' } }];
      assert.equal(outcome(decided({ readers }, ask, { locks, identity: { expires: now } })), 'locked');
      assert.equal(outcome(decided({ readers }, ask, { locks, user: { generation: 1, disabled: true } })), 'locked');
    });

    it('demands a second factor where a role does', () => {
      const strict = { readers, b: { options: { require_mfa: true } } };
      assert.equal(outcome(decided(strict)), 'mfa_required');
      assert.equal(outcome(decided(strict, ask, { identity: { mfa: { device: 'key', at: now } } })), 'allowed');
    });

    it('demands a pinned certificate where a role does', () => {
      const pinned = { readers, b: { options: { pin_address: true } } };
      assert.equal(outcome(decided(pinned, ask, { source: '10.0.0.1' })), 'expired');
      const circumstances = { source: '10.0.0.1', identity: { pinnedAddress: '10.0.0.1' } };
      assert.equal(outcome(decided(pinned, ask, circumstances)), 'allowed');
    });

    it('lets an open session go past the certificate’s end only where a role says so', () => {
      const late: Circumstances = { identity: { expires: now }, stage: 'session' };
      const long = { readers, b: { options: { end_at_expiry: false } } };
      assert.equal(outcome(decided({ readers }, ask, late)), 'expired');
      assert.equal(outcome(decided(long, ask, late)), 'allowed');
      assert.equal(outcome(decided(long, ask, { identity: { expires: now } })), 'expired');
    });
  });

  it('looks for no role beyond those of the certificate', () => {
    const subject = { ...holding({}), roles: rolesOf({ readers }) };
    assert.equal(outcome(decide({ subject, resource: books, protocol: ledger, ask })), 'access_denied');
  });
});
