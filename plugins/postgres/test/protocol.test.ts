import assert from 'node:assert/strict';
import { isClassified } from '@postern/plugin-sdk';
import type { z } from 'zod';
import { postgres, type PostgresAccess, type PostgresAsk } from '../src/protocol.js';

const { auth } = postgres;
const access = (wanted: unknown): PostgresAccess => auth.access.parse(wanted);
const asking = (user: string, database = 'bench', replication = false): PostgresAsk => ({
  user,
  database,
  replication,
});

describe('what a role allows', () => {
  for (const [wanted, ask, permitted] of [
    [{}, asking('app'), false],
    [{ users: ['app'] }, asking('app'), false],
    [{ databases: ['bench'] }, asking('app'), false],
    [{ users: ['app'], databases: ['bench'] }, asking('app'), true],
    [{ users: ['app'], databases: ['bench'] }, asking('App'), false],
    [{ users: ['app'], databases: ['bench'] }, asking('app', 'other'), false],
    [{ users: ['*'], databases: ['*'] }, asking('postgres', 'anything'), true],
    [{ users: ['app_*'], databases: ['*_eu'] }, asking('app_1', 'sales_eu'), true],
    [{ users: ['app_*'], databases: ['*_eu'] }, asking('app', 'sales_eu'), false],
    [{ users: ['a*b*c'], databases: ['*'] }, asking('aXbYc'), true],
    [{ users: ['a*a'], databases: ['*'] }, asking('a'), false],
    [{ users: ['.*'], databases: ['*'] }, asking('app'), false],
    [{ users: ['*'], databases: ['*'] }, asking('app', 'bench', true), false],
    [{ users: ['*'], databases: ['*'], replication: true }, asking('app', 'bench', true), true],
    [{ replication: true }, asking('app', 'bench', true), false],
  ] as const)
    it(`${JSON.stringify(wanted)} ${permitted ? 'permits' : 'does not permit'} ${Object.values(ask).join(' ')}`, () =>
      assert.equal(auth.permits(access(wanted), ask), permitted));

  it('takes a pattern of many wildcards in its stride', () => {
    const wanted = access({ users: ['*a'.repeat(60)], databases: ['*'] });
    assert.equal(auth.permits(wanted, asking('a'.repeat(59))), false);
  });
});

describe('what a role denies', () => {
  for (const [wanted, ask, forbidden] of [
    [{}, asking('app'), false],
    [{ users: ['postgres'] }, asking('postgres'), true],
    [{ users: ['postgres'] }, asking('app'), false],
    [{ databases: ['secret*'] }, asking('app', 'secrets'), true],
    [{ replication: true }, asking('app', 'bench', true), true],
    [{ replication: true }, asking('app'), false],
  ] as const)
    it(`${JSON.stringify(wanted)} ${forbidden ? 'forbids' : 'does not forbid'} ${Object.values(ask).join(' ')}`, () =>
      assert.equal(auth.forbids(access(wanted), ask), forbidden));
});

describe('what a client can ask for', () => {
  it('a name that the server would cut down to a forbidden one is no name', () => {
    assert.equal(auth.ask.safeParse(asking('x'.repeat(63))).success, true);
    assert.equal(auth.ask.safeParse(asking('x'.repeat(64))).success, false);
    assert.equal(auth.ask.safeParse(asking('app', 'ä'.repeat(32))).success, false);
    assert.equal(auth.ask.safeParse(asking('a\0b')).success, false);
    assert.equal(auth.ask.safeParse(asking('')).success, false);
  });
});

describe('a resource', () => {
  const problem = (spec: unknown): string | undefined => auth.resource.safeParse(spec).error?.issues[0]?.path.join('.');

  it('is verified, and logged in to by certificate, unless its document says otherwise', () => {
    const spec = auth.resource.parse({ host: 'db.internal' });
    assert.deepEqual(spec, {
      host: 'db.internal',
      port: 5432,
      tls: { mode: 'verify-full' },
      auth: { method: 'certificate', accept: ['scram-sha-256'] },
    });
    assert.deepEqual(auth.endpoints(spec, asking('app')), [{ host: 'db.internal', port: 5432 }]);
  });

  it('never bears paths, commands or secrets', () => {
    const host = 'db';
    assert.equal(problem({ host: '/var/run/postgresql' }), 'host');
    assert.equal(problem({ host: 'a,b' }), 'host');
    assert.equal(problem({ host, tls: { ca: '/etc/ssl/ca.pem' } }), 'tls.ca');
    assert.equal(problem({ host, auth: { method: 'password', secret: '/etc/secret' } }), 'auth.secret');
    assert.equal(problem({ host, password: 'x' }), '');
  });

  it('does not contradict itself', () => {
    const host = 'db';
    assert.equal(problem({ host, auth: { method: 'password' } }), 'auth.secret');
    assert.equal(problem({ host, tls: { mode: 'disable' } }), 'tls.mode');
    assert.equal(problem({ host, tls: { mode: 'disable' }, auth: { method: 'trust' } }), undefined);
    const clear = { method: 'password', secret: 's', accept: ['cleartext'] };
    assert.equal(problem({ host, tls: { mode: 'require' }, auth: clear }), 'auth.accept');
    assert.equal(problem({ host, tls: { mode: 'verify-ca' }, auth: clear }), undefined);
    assert.equal(problem({ host, auth: { ...clear, secret: { app: 'app-password' } } }), undefined);
  });
});

describe('the declaration', () => {
  it('classifies every field of every event', () => {
    for (const [name, { fields }] of Object.entries(postgres.audit))
      for (const [field, schema] of Object.entries<z.ZodType>(fields.shape))
        assert.ok(isClassified(schema), `${name}.${field}`);
  });

  it('accepts an empty configuration', () => {
    assert.equal(postgres.config.parse({}).max_statement_bytes, 65_536);
  });
});
