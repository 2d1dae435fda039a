import assert from 'node:assert/strict';
import type { AnyProtocol } from '@postern/plugin-sdk';
import { z } from 'zod';
import { checkRole, compileRoles, decide, type Decision } from '../../src/rbac/index.js';
import { books, desk, everywhere, faulty, holding, ledger, protocols } from './world.js';

const readers = { allow: { ledger: { labels: { env: ['staging', 'prod'] }, users: ['reader'], books: ['*'] } } };
const ask = { user: 'reader', book: 'sales' };

const decided = (documents: Readonly<Record<string, object>>): Decision =>
  decide({ subject: holding(documents), resource: books, protocol: ledger, ask });
const outcome = (decision: Decision): string => (decision.allowed ? 'allowed' : decision.code);

describe('decide where something fails', () => {
  const resource = { ...books, kind: 'faulty' };

  it('grants nothing by permits that throws', () => {
    const subject = holding({ a: { allow: { faulty: { ...everywhere, users: ['*'], books: ['*'] } } } });
    const decision = decide({ subject, resource, protocol: faulty, ask });
    assert.equal(outcome(decision), 'access_denied');
    assert.match(decision.because[0]?.detail ?? '', /permits failed/);
  });

  it('denies by forbids that throws', () => {
    const subject = holding({ a: { deny: { faulty: { ...everywhere, users: ['x'] } } } });
    const decision = decide({ subject, resource, protocol: faulty, ask });
    assert.deepEqual(
      decision.because.map(({ clause, part }) => [clause, part]),
      [['deny', 'error']],
    );
  });

  it('denies everything to the holder of a role that cannot be read', () => {
    for (const broken of [{ options: { of_a_newer_version: true } }, { name: 'another' }, { allow: 7 }])
      assert.equal(outcome(decided({ readers, broken })), 'access_denied');
  });

  it('denies by a deny entry whose access keys cannot be read', () => {
    for (const keys of [{ usrs: ['x'] }, { users: 7 }, { users: ['{{oops}}'] }])
      assert.equal(outcome(decided({ readers, b: { deny: { ledger: { ...everywhere, ...keys } } } })), 'access_denied');
  });

  it('grants nothing by access keys that the protocol does not know: one of them may have been a condition', () => {
    const subject = holding({ a: { allow: { desk: { ...everywhere, logins: ['ann'], rom: 'closed' } } } });
    const resource = { ...books, kind: 'desk' };
    assert.equal(outcome(decide({ subject, resource, protocol: desk, ask: { login: 'ann' } })), 'access_denied');
  });

  it('takes a protocol whose schema fails for one that grants nothing and forbids everything', () => {
    const access = z.strictObject({ users: z.array(z.string()).refine(async () => true) });
    const slow = { ...ledger, auth: { ...ledger.auth, access } } as unknown as typeof ledger;
    const own = new Map([['ledger', slow as AnyProtocol]]);
    const answer = (clause: object): Decision => {
      const roles = compileRoles([['a', { kind: 'role', name: 'a', ...clause }]], own);
      return decide({ subject: { ...holding({ a: {} }), roles }, resource: books, protocol: slow, ask });
    };
    const entry = { ...everywhere, users: ['reader'] };
    assert.equal(outcome(answer({ allow: { ledger: entry } })), 'access_denied');
    assert.equal(answer({ deny: { ledger: entry } }).because[0]?.part, 'error');
    assert.match(
      checkRole({ kind: 'role', name: 'a', allow: { ledger: entry } }, own).problems[0]?.message ?? '',
      /async/i,
    );
  });

  it('shows access that no text can show', () => {
    const loop = z.strictObject({ users: z.array(z.string()) }).transform((value) => {
      const inner: Record<string, unknown> = { ...value, books: ['*'] };
      inner['self'] = inner;
      return inner;
    });
    const odd = { ...ledger, auth: { ...ledger.auth, access: loop } } as unknown as typeof ledger;
    const document = { kind: 'role', name: 'a', allow: { ledger: { ...everywhere, users: ['reader'] } } };
    const roles = compileRoles([['a', document]], new Map([['ledger', odd as AnyProtocol]]));
    const decision = decide({ subject: { ...holding({ a: {} }), roles }, resource: books, protocol: odd, ask });
    assert.ok(decision.allowed);
    assert.match(decision.because[0]?.detail ?? '', /cannot be shown/);
  });

  it('denies everything to the holder of a role that is there twice, or throws when it is read', () => {
    const document = { kind: 'role', name: 'a', ...readers };
    const hostile = Object.defineProperty({ kind: 'role', name: 'a' }, 'allow', {
      enumerable: true,
      get: () => {
        throw new Error('gotcha');
      },
    });
    for (const documents of [[document, document], [hostile]]) {
      const roles = compileRoles(
        documents.map((one) => ['a', one] as const),
        protocols,
      );
      const decision = decide({ subject: { ...holding({ a: {} }), roles }, resource: books, protocol: ledger, ask });
      assert.deepEqual([outcome(decision), decision.because[0]?.part], ['access_denied', 'error']);
    }
  });

  it('refuses a resource of another protocol', () => {
    const subject = holding({ readers });
    assert.equal(outcome(decide({ subject, resource: books, protocol: desk, ask })), 'internal');
  });

  it('refuses circumstances that are not given', () => {
    const { user: _, ...subject } = holding({ readers });
    assert.equal(outcome(decide({ subject: subject as never, resource: books, protocol: ledger, ask })), 'internal');
  });
});
