import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  mergeOptions,
  roleOptions,
  sessionEnd,
  type EffectiveOptions,
  type RoleOptions,
} from '../../src/rbac/index.js';

const hour = 3_600_000;

describe('options', () => {
  interface Row {
    readonly option: keyof EffectiveOptions;
    readonly roles: readonly RoleOptions[];
    readonly want: unknown;
  }
  const table: readonly Row[] = [
    { option: 'maxCertificateTtlMs', roles: [{}], want: undefined },
    { option: 'maxCertificateTtlMs', roles: [{ max_certificate_ttl: '30h' }, {}], want: 30 * hour },
    {
      option: 'maxCertificateTtlMs',
      roles: [{ max_certificate_ttl: '8h' }, { max_certificate_ttl: '1h' }],
      want: hour,
    },
    { option: 'maxSessionTtlMs', roles: [{}], want: undefined },
    { option: 'maxSessionTtlMs', roles: [{ max_session_ttl: '2h' }, { max_session_ttl: '30m' }], want: hour / 2 },
    { option: 'idleTimeoutMs', roles: [{}], want: undefined },
    { option: 'idleTimeoutMs', roles: [{ idle_timeout: '10m' }, { idle_timeout: '600s' }], want: 600_000 },
    { option: 'maxConnections', roles: [{}], want: undefined },
    { option: 'maxConnections', roles: [{ max_connections: 5 }, { max_connections: 2 }, {}], want: 2 },
    { option: 'maxSessions', roles: [{}], want: undefined },
    { option: 'maxSessions', roles: [{ max_sessions: 1 }, { max_sessions: 10 }], want: 1 },
    { option: 'endAtExpiry', roles: [{}], want: true },
    { option: 'endAtExpiry', roles: [{ end_at_expiry: false }, {}], want: false },
    { option: 'endAtExpiry', roles: [{ end_at_expiry: false }, { end_at_expiry: true }], want: true },
    { option: 'pinAddress', roles: [{}], want: false },
    { option: 'pinAddress', roles: [{ pin_address: true }, { pin_address: false }], want: true },
    { option: 'requireMfa', roles: [{}], want: false },
    { option: 'requireMfa', roles: [{ require_mfa: false }, { require_mfa: true }], want: true },
    { option: 'audit', roles: [{}], want: 'spool' },
    { option: 'audit', roles: [{ audit: 'strict' }, { audit: 'spool' }], want: 'strict' },
    { option: 'recording', roles: [{}], want: 'on' },
    { option: 'recording', roles: [{ recording: 'off' }, {}], want: 'off' },
    { option: 'recording', roles: [{ recording: 'off' }, { recording: 'on' }], want: 'on' },
    {
      option: 'recording',
      roles: [{ recording: 'on' }, { recording: 'strict' }, { recording: 'off' }],
      want: 'strict',
    },
  ];
  for (const { option, roles, want } of table)
    it(`${option} of ${JSON.stringify(roles)} is ${String(want)}`, () => {
      assert.equal(mergeOptions(roles)[option], want);
      assert.equal(mergeOptions([...roles].reverse())[option], want);
    });

  it('has a row in the table above for every option', () => {
    const { shape } = roleOptions;
    assert.equal(new Set(table.map(({ option }) => option)).size, Object.keys(shape).length);
  });

  it('another role never makes a limit wider than the narrowest', () => {
    const count = fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined });
    fc.assert(
      fc.property(fc.array(count, { minLength: 1 }), (limits) => {
        const roles = limits.map((limit) => (limit === undefined ? {} : { max_connections: limit }));
        const stated = limits.filter((limit) => limit !== undefined);
        assert.equal(mergeOptions(roles).maxConnections, stated.length > 0 ? Math.min(...stated) : undefined);
      }),
    );
  });

  describe('sessionEnd', () => {
    const started = new Date(0);
    const expires = new Date(10 * hour);
    const end = (roles: readonly RoleOptions[]): number | undefined =>
      sessionEnd(mergeOptions(roles), expires, started)?.getTime();

    it('is the certificate’s end unless a role says otherwise', () => {
      assert.equal(end([]), 10 * hour);
      assert.equal(end([{ end_at_expiry: false }]), undefined);
    });

    it('is the longest life of a session where that comes first', () => {
      assert.equal(end([{ max_session_ttl: '1h' }]), hour);
      assert.equal(end([{ max_session_ttl: '20h' }]), 10 * hour);
      assert.equal(end([{ max_session_ttl: '20h', end_at_expiry: false }]), 20 * hour);
    });
  });
});
