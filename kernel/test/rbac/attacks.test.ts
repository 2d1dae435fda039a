import assert from 'node:assert/strict';
import { decide, decideRule, decideVisible, mayBecome, visible, type Decision } from '../../src/rbac/index.js';
import { books, desk, everywhere, holding, identity, ledger, protocols, rolesOf, type Circumstances } from './world.js';

const everything = { ledger: { ...everywhere, users: ['*'], books: ['*'] } };
const ask = { user: 'root', book: 'sales' };
const decided = (
  documents: Readonly<Record<string, object>>,
  circumstances: Circumstances = {},
  asked = ask,
): Decision => decide({ subject: holding(documents, circumstances), resource: books, protocol: ledger, ask: asked });

describe('attacks on decisions', () => {
  it('a trait with a wildcard does not become a pattern in access values', () => {
    const documents = {
      a: { allow: { ledger: { ...everywhere, users: ['{{internal.users}}'], books: ['b-{{external.team}}'] } } },
    };
    for (const star of ['*', 'r*', '**'])
      assert.ok(
        !decided(documents, { identity: { traits: { users: [star], team: ['x'] } } }, { user: 'root', book: 'b-x' })
          .allowed,
      );
    const traits = { users: ['root'], team: ['*'] };
    assert.ok(!decided(documents, { identity: { traits } }, { user: 'root', book: 'b-x' }).allowed);
  });

  it('a wildcard that the operator wrote beside a template stays one', () => {
    const documents = { a: { allow: { ledger: { ...everywhere, users: ['*'], books: ['{{external.team}}-*'] } } } };
    const circumstances = { identity: { traits: { team: ['core'] } } };
    assert.ok(decided(documents, circumstances, { user: 'x', book: 'core-9' }).allowed);
  });

  it('a trait value that looks like a template is not expanded again', () => {
    const documents = { a: { allow: { ledger: { ...everywhere, users: ['{{external.team}}'], books: ['*'] } } } };
    const traits = { team: ['{{internal.secret}}'], secret: ['root'] };
    assert.ok(!decided(documents, { identity: { traits } }).allowed);
  });

  it('a trait cannot undo a deny by being strange', () => {
    const documents = {
      a: { allow: everything },
      b: { deny: { ledger: { ...everywhere, users: ['{{internal.users}}'] } } },
    };
    for (const users of [['*'], ['root'], ['x', '*']])
      assert.ok(!decided(documents, { identity: { traits: { users } } }).allowed);
    const desks = {
      a: { allow: { desk: { ...everywhere, logins: ['ann'] } } },
      b: { deny: { desk: { ...everywhere, logins: ['{{internal.x}}', 'bob'] } } },
    };
    const subject = holding(desks, { identity: { traits: { x: ['NOT A LOGIN'] } } });
    assert.ok(
      !decide({ subject, resource: { ...books, kind: 'desk' }, protocol: desk, ask: { login: 'ann' } }).allowed,
    );
  });

  it('a template that empties a list does not turn a deny of something into a deny of nothing or of everything', () => {
    const documents = {
      a: { allow: everything },
      b: { deny: { ledger: { ...everywhere, users: ['{{internal.none}}'] } } },
    };
    assert.ok(decided(documents).allowed);
  });

  it('a label key __proto__ cannot be left out of a role in silence', () => {
    const document = JSON.parse(
      '{"allow":{"ledger":{"labels":{"env":"prod","__proto__":"x"},"users":["*"],"books":["*"]}}}',
    ) as object;
    assert.ok(!decided({ a: document }).allowed);
  });

  it('a label named like a property of every object is not taken from the prototype', () => {
    for (const key of ['constructor', 'toString', 'hasOwnProperty'])
      assert.ok(!decided({ a: { allow: { ledger: { labels: { [key]: '*' }, users: ['*'], books: ['*'] } } } }).allowed);
  });

  it('a role named like a prototype property is a role like any other', () => {
    for (const name of ['constructor', 'toString', 'hasOwnProperty']) {
      assert.ok(!decided({}, { identity: { roles: [name] } }).allowed);
      assert.ok(decided({ [name]: { allow: everything } }).allowed);
    }
    assert.ok(!decided({}, { identity: { roles: ['__proto__'] } }).allowed);
  });

  it('a protocol named like a prototype property is not found in a role', () => {
    const odd = { ...ledger, id: 'constructor' };
    const decision = decide({
      subject: holding({ a: { allow: everything } }),
      resource: { ...books, kind: 'constructor' },
      protocol: odd,
      ask,
    });
    assert.ok(!decision.allowed);
  });

  it('a removed role grants nothing', () => {
    const decision = decided({}, { identity: { roles: ['removed'] } });
    assert.ok(!decision.allowed);
    assert.deepEqual(
      decision.because.map(({ role, part }) => [role, part]),
      [['removed', 'role']],
    );
  });

  it('a user cannot pick roles his certificate does not carry', () => {
    const roles = rolesOf({ admin: { allow: { ...everything, rules: [{ kinds: ['*'], verbs: ['*'] }] } }, none: {} });
    const subject = { ...holding({ none: {} }), roles };
    assert.ok(!decide({ subject, resource: books, protocol: ledger, ask }).allowed);
    assert.ok(!decide({ subject, resource: books, protocol: ledger, ask: { ...ask, roles: ['admin'] } }).allowed);
    assert.ok(!decideVisible({ subject, resource: books, protocol: ledger }).allowed);
    assert.ok(!decideRule({ subject, kind: 'role', verb: 'update' }).allowed);
  });

  it('a user cannot pick traits that his certificate does not carry', () => {
    const documents = { a: { allow: { ledger: { ...everywhere, users: ['{{internal.users}}'], books: ['*'] } } } };
    assert.ok(!decided(documents, {}, { ...ask, traits: { users: ['root'] } } as never).allowed);
  });

  it('a certificate for one resource opens no other and does not speak to the API', () => {
    const documents = { a: { allow: { ...everything, rules: [{ kinds: ['*'], verbs: ['*'] }] } } };
    const bound = (kind: string, name: string): ReturnType<typeof holding> => ({
      ...holding(documents),
      identity: identity({ roles: ['a'], resource: { kind, name } }),
    });
    const at = (subject: ReturnType<typeof holding>): boolean =>
      decide({ subject, resource: books, protocol: ledger, ask }).allowed;
    assert.ok(at(bound('ledger', 'books')));
    assert.ok(!at(bound('ledger', 'other')));
    assert.ok(!at(bound('desk', 'books')));
    for (const subject of [bound('ledger', 'books'), bound('user', '')])
      assert.ok(!decideRule({ subject, kind: 'user', verb: 'read' }).allowed);
  });

  it('a plugin that answers neither true nor false has said no', () => {
    const vague = {
      ...ledger,
      auth: { ...ledger.auth, permits: () => 'yes' as never, forbids: () => undefined as never },
    };
    const subject = holding({ a: { allow: everything } });
    assert.ok(!decide({ subject, resource: books, protocol: vague, ask }).allowed);
    const denied = holding({ a: { allow: everything }, b: { deny: { ledger: { ...everywhere, users: ['x'] } } } });
    const half = { ...ledger, auth: { ...ledger.auth, forbids: () => undefined as never } };
    assert.ok(!decide({ subject: denied, resource: books, protocol: half, ask }).allowed);
  });

  it('a wildcard among the principals does not cover a name that a role denies', () => {
    const documents = {
      a: { allow: everything },
      b: { deny: { ledger: { ...everywhere, users: ['root', 'admin-*'] } } },
    };
    const decision = decided(documents, {}, { user: 'app', book: 'sales' });
    assert.ok(decision.allowed);
    assert.deepEqual(
      ['app', 'root', 'admin-1'].map((name) => mayBecome(decision, name)),
      [true, false, false],
    );
  });

  it('a role document that changes after it was prepared changes no decision', () => {
    const document = {
      kind: 'role',
      name: 'a',
      allow: { ledger: { labels: { env: 'staging' }, users: ['*'], books: ['*'] } },
    };
    const roles = rolesOf({ a: document });
    document.allow.ledger.labels.env = 'prod';
    document.allow.ledger.users.push('x');
    assert.ok(!decide({ subject: { ...holding({ a: {} }), roles }, resource: books, protocol: ledger, ask }).allowed);
  });

  it('a resource of a protocol that is not enabled is neither listed nor allowed', () => {
    const subject = holding({ a: { allow: { '*': everywhere } } });
    assert.deepEqual(visible(subject, [{ ...books, kind: 'unknown' }], protocols), []);
    const unknown = { ...ledger, id: 'unknown' };
    assert.ok(!decide({ subject, resource: { ...books, kind: 'unknown' }, protocol: unknown, ask }).allowed);
  });
});
