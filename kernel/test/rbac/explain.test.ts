import assert from 'node:assert/strict';
import {
  decide,
  decideRule,
  denialError,
  denialOf,
  explain,
  publicMessage,
  summary,
  type Decision,
  type Denied,
} from '../../src/rbac/index.js';
import { books, everywhere, holding, ledger, now, type Circumstances } from './world.js';

const staging = { allow: { ledger: { labels: { env: 'staging' }, users: ['*'], books: ['*'] } } };
const readers = { allow: { ledger: { labels: { env: 'prod' }, users: ['reader'], books: ['*'] } } };
const ban = { deny: { ledger: { labels: { team: 'core' } } } };
const desks = { allow: { desk: { ...everywhere, logins: ['x'] } } };
const ask = { user: 'app', book: 'sales' };

function decided(documents: Record<string, object>, circumstances: Circumstances = {}, asked: object = ask): Decision {
  return decide({ subject: holding(documents, circumstances), resource: books, protocol: ledger, ask: asked });
}

function denied(...[documents, circumstances, asked]: Parameters<typeof decided>): Denied {
  const decision = decided(documents, circumstances, asked);
  assert.ok(!decision.allowed);
  return decision;
}

describe('explain', () => {
  const table: readonly [what: string, decision: () => Decision, want: string][] = [
    [
      'the role that allows',
      () => decided({ readers }, {}, { user: 'reader', book: 'sales' }),
      'alice may use ledger/books with user "reader", book "sales": role readers, allow.ledger: allows {"users":["reader"],"books":["*"]} on env=prod',
    ],
    [
      'the role that denies',
      () => decided({ readers, ban }),
      'alice may not use ledger/books with user "app", book "sales": role ban, deny.ledger: denies everything on resources with team=core',
    ],
    [
      'labels as the smallest missing piece',
      () => decided({ staging, desks }),
      'alice may not use ledger/books with user "app", book "sales": no role of alice allows ledger on env=prod; role staging, allow.ledger: allows env=staging only',
    ],
    [
      'access as a smaller missing piece than labels',
      () => decided({ staging, readers }),
      'alice may not use ledger/books with user "app", book "sales": no role of alice allows this ask on ledger/books; role readers, allow.ledger: allows {"users":["reader"],"books":["*"]} only',
    ],
    [
      'a kind that no role has',
      () => decided({ desks }),
      'alice may not use ledger/books with user "app", book "sales": no role of alice allows anything of kind ledger',
    ],
    [
      'a certificate without roles',
      () => decided({}),
      'alice may not use ledger/books with user "app", book "sales": the certificate carries no roles',
    ],
    [
      'a removed role',
      () => decided({}, { identity: { roles: ['gone'] } }),
      'alice may not use ledger/books with user "app", book "sales": role gone: does not exist any more, so it grants nothing',
    ],
    [
      'a lock',
      () => decided({ readers }, { locks: [{ target: { role: 'readers' }, message: 'drill' }] }),
      'alice may not use ledger/books with user "app", book "sales": a lock on role readers is in force: drill',
    ],
    [
      'a trait that gives nothing',
      () => decided({ a: { allow: { ledger: { ...everywhere, users: ['{{internal.u}}'] } } } }),
      'alice may not use ledger/books with user "app", book "sales": no role of alice allows this ask on ledger/books; role a, allow.ledger: allows {"users":[],"books":[]} only',
    ],
    [
      'a role that cannot be read',
      () => decided({ readers, x: { optoins: {} } }),
      'alice may not use ledger/books with user "app", book "sales": role x: cannot be read: optoins: unknown key; did you mean options?',
    ],
    [
      'a call of the API',
      () => decideRule({ subject: holding({ readers }), kind: 'role', verb: 'create' }),
      'alice may not create role: no rule allows to create role',
    ],
    [
      'a rule that allows',
      () =>
        decideRule({
          subject: holding({ a: { allow: { rules: [{ kinds: ['role'], verbs: ['*'] }] } } }),
          kind: 'role',
          verb: 'create',
        }),
      'alice may create role: role a, allow.rules[0]: allows * on role',
    ],
  ];
  for (const [what, decision, want] of table)
    it(`names ${what}`, () => {
      assert.equal(summary(decision()), want);
    });

  it('lists every reason for administrators', () => {
    assert.equal(
      explain(decided({ staging, desks, readers })),
      [
        'alice may not use ledger/books with user "app", book "sales": no role of alice allows this ask on ledger/books; role readers, allow.ledger: allows {"users":["reader"],"books":["*"]} only',
        '  roles: desks, readers, staging',
        '  code: access_denied',
        '  role desks: allows nothing of kind ledger',
        '  role readers, allow.ledger: allows {"users":["reader"],"books":["*"]} only',
        '  role staging, allow.ledger: allows env=staging only',
      ].join('\n'),
    );
  });

  it('gives reasons as data too', () => {
    assert.deepEqual(denied({ staging }).because, [
      {
        clause: 'allow',
        part: 'labels',
        role: 'staging',
        entry: 'allow.ledger',
        detail: 'allows env=staging only',
        unmet: ['env'],
      },
    ]);
  });
});

describe('what a user is told', () => {
  const hint = 'Ask an administrator, or see: postern rbac explain alice ledger/books';
  const table: readonly [what: string, decision: () => Denied, want: string][] = [
    [
      'that none of several roles allows it',
      () => denied({ staging, desks }),
      `alice may not use ledger/books with user "app", book "sales": none of the roles desks, staging allows it. ${hint}`,
    ],
    [
      'that the only role does not allow it',
      () => denied({ staging }),
      `alice may not use ledger/books with user "app", book "sales": the role staging does not allow it. ${hint}`,
    ],
    [
      'which role denies it',
      () => denied({ readers, ban }),
      `alice may not use ledger/books with user "app", book "sales": the role ban denies it. ${hint}`,
    ],
    [
      'that there are no roles',
      () => denied({}),
      `alice may not use ledger/books with user "app", book "sales": the certificate carries no roles. ${hint}`,
    ],
    [
      'that a role is broken',
      () => denied({ x: { oops: 1 } }),
      `alice may not use ledger/books with user "app", book "sales": the role x cannot be read, and an error denies. ${hint}`,
    ],
    [
      'the message of a lock',
      () => denied({}, { locks: [{ target: { user: 'alice' }, message: 'call us' }] }),
      'a lock on user alice is in force: call us. Ask an administrator',
    ],
    [
      'to log in again after the end',
      () => denied({}, { identity: { expires: now } }),
      'your certificate expired at 2030-01-01T12:00:00.000Z; log in again: psh login',
    ],
    [
      'to log in again after a change',
      () => denied({}, { user: { generation: 2, disabled: false } }),
      'the roles or credentials of alice have changed; log in again: psh login',
    ],
    [
      'that there is no such user any more',
      () => denied({}, { user: 'absent' }),
      'there is no user alice any more. Ask an administrator',
    ],
    [
      'that a second factor is missing',
      () => denied({ a: { options: { require_mfa: true } } }),
      'your roles demand a second factor: add one with psh mfa add, then log in again: psh login',
    ],
    [
      'no more than that the decision failed',
      () => denied({}, { identity: { roles: 3 as never } }),
      'the decision failed, so the answer is no. Ask an administrator',
    ],
  ];
  for (const [what, decision, want] of table)
    it(`is ${what}`, () => {
      assert.equal(publicMessage(decision()), want);
    });

  it('is not what stands in roles or on the resource', () => {
    const secret = { allow: { ledger: { labels: { customer: 'acme' }, users: ['owner'], books: ['merger'] } } };
    for (const documents of [{ secret }, { secret, ban }])
      assert.doesNotMatch(publicMessage(denied(documents)), /acme|customer|owner|merger|core|prod|env/);
  });

  it('stays on one line of bounded length, whatever was asked', () => {
    const nasty = { user: `x\r\n\u001b[31m${'y'.repeat(10_000)}`, book: '\u202e\u0000' };
    const message = publicMessage(denied({ staging }, { identity: { user: "al'ice; rm\n" } }, nasty));
    // eslint would call a control character in a pattern a mistake; here it is the point.
    assert.ok([...message].every((sign) => sign >= ' ' && sign !== '\u007f' && sign !== '\u202e'));
    assert.ok(message.length < 600, String(message.length));
    assert.match(message, /postern rbac explain 'al'\\''ice; rm\?' ledger\/books$/);
  });

  it('shows numbers, lists and flags of an ask, and passes over the rest', () => {
    const asked = {
      user: 'x',
      book: 'y',
      port: 22,
      exec: true,
      env: { A: 'b' },
      list: ['a', 'b', 'c', 'd', 'e'],
      none: null,
    };
    assert.match(
      publicMessage(denied({ staging: {} }, {}, asked)),
      /with user "x", book "y", port 22, exec true, list \["a", "b", "c", "d", …\]: /,
    );
  });

  it('is the message of the denial and the public message of the error', () => {
    const decision = denied({ staging });
    assert.deepEqual(denialOf(decision), { code: 'access_denied', message: publicMessage(decision) });
    const error = denialError(decision);
    assert.equal(error.code, 'access_denied');
    assert.equal(error.publicMessage, publicMessage(decision));
    assert.equal(error.message, summary(decision));
  });
});
