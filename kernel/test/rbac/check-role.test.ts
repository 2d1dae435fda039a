import assert from 'node:assert/strict';
import { PosternError } from '@postern/plugin-sdk';
import { z } from 'zod';
import { checkRole, parseRole, presetRoles, problemText, roleDocument } from '../../src/rbac/index.js';
import { protocols } from './world.js';

const role = (rest: object): object => ({ kind: 'role', name: 'readers', ...rest });
const problems = (document: unknown): string[] => checkRole(document, protocols).problems.map(problemText);
const warnings = (document: unknown): string[] => checkRole(document, protocols).warnings.map(problemText);

const complete = role({
  description: 'Reads.',
  allow: {
    ledger: [
      { labels: { env: ['staging', 'prod'], team: '*' }, users: ['{{internal.users}}', 'app'], books: ['*'] },
      { labels: { team: '{{external.team}}' }, users: ['app-{{external.team}}'], books: ['sales'] },
    ],
    desk: { labels: { '*': '*' }, logins: '{{internal.logins}}' },
    rules: [{ kinds: ['user', 'role'], verbs: ['list', 'read'] }],
  },
  deny: { '*': { labels: { env: 'vault' } }, ledger: { labels: { env: 'prod' }, users: ['root'] } },
  options: {
    max_certificate_ttl: '12h',
    max_session_ttl: '1h30m',
    idle_timeout: '90s',
    end_at_expiry: false,
    max_connections: 10,
    max_sessions: 2,
    pin_address: true,
    require_mfa: true,
    audit: 'strict',
    recording: 'strict',
  },
});

describe('a role document', () => {
  it('passes with everything that a role can say', () => {
    const check = checkRole(complete, protocols);
    assert.deepEqual(check.problems, []);
    assert.deepEqual(check.warnings, []);
    assert.deepEqual(check.role, complete, 'what is stored is what was written');
  });

  it('passes without anything but its name', () => {
    assert.deepEqual(checkRole(role({}), protocols).problems, []);
  });

  it('can be described to an editor', () => {
    assert.equal(z.toJSONSchema(roleDocument, { io: 'input' })['type'], 'object');
  });

  it('passes for every preset, without a warning', () => {
    for (const preset of presetRoles)
      assert.deepEqual(checkRole(preset, protocols), { role: preset, problems: [], warnings: [] });
  });

  const refused: readonly [what: string, document: unknown, want: RegExp][] = [
    ['no document', undefined, /expected object/],
    ['another kind', { kind: 'user', name: 'x' }, /^kind: /],
    ['a name with a slash', { kind: 'role', name: 'a/b' }, /^name: use up to 63 letters/],
    ['an unknown key', role({ alow: {} }), /^alow: unknown key; did you mean allow\?$/],
    [
      'an unknown option',
      role({ options: { idle_timout: '1h' } }),
      /^options\.idle_timout: unknown key; did you mean idle_timeout\?$/,
    ],
    [
      'a length of time without a unit',
      role({ options: { idle_timeout: '90' } }),
      /^options\.idle_timeout: write a length of time/,
    ],
    ['an option of no meaning', role({ options: { audit: 'sometimes' } }), /^options\.audit: .*"spool"\|"strict"/],
    [
      'a text as an entry',
      role({ allow: { ledger: 'all' } }),
      /^allow\.ledger: expected object or array, found string$/,
    ],
    ['an empty list of entries', role({ allow: { ledger: [] } }), /^allow\.ledger: .*>=1/],
    [
      'a number as a label',
      role({ allow: { ledger: [{ labels: { env: 3 } }] } }),
      /^allow\.ledger\[0\]\.labels\.env: expected string or array, found number$/,
    ],
    [
      'an empty list of label values',
      role({ allow: { ledger: { labels: { env: [] } } } }),
      /^allow\.ledger\.labels\.env: .*>=1/,
    ],
    [
      "the key '*' with a value",
      role({ allow: { ledger: { labels: { '*': 'prod' } } } }),
      /^allow\.ledger\.labels: the key '\*' goes with/,
    ],
    [
      'a malformed template in a label',
      role({ allow: { ledger: { labels: { env: '{{env}}' } } } }),
      /^allow\.ledger\.labels\.env: "\{\{env\}\}": use \{\{internal/,
    ],
    [
      'a template in the name of a label',
      role({ allow: { ledger: { labels: { '{{internal.x}}': 'a' } } } }),
      /takes no template/,
    ],
    [
      'an unknown access key',
      role({ allow: { ledger: { labels: { a: 'b' }, user: ['x'] } } }),
      /^allow\.ledger\.user: unknown key; did you mean users\?$/,
    ],
    [
      'an access key that its schema would leave out in silence',
      role({ allow: { desk: { labels: { a: 'b' }, login: 'x' } } }),
      /^allow\.desk\.login: unknown key; did you mean logins\?$/,
    ],
    [
      'an access key of the wrong type',
      role({ deny: { ledger: [{}, { users: 'root' }] } }),
      /^deny\.ledger\[1\]\.users: .*expected array/,
    ],
    [
      'an access value that the protocol refuses',
      role({ allow: { desk: { labels: { a: 'b' }, logins: ['ok', 'Not'] } } }),
      /^allow\.desk\.logins\[1\]: /,
    ],
    [
      'the same after a template',
      role({ allow: { desk: { labels: { a: 'b' }, logins: ['{{internal.a}}', 'Not'] } } }),
      /^allow\.desk\.logins\[1\]: /,
    ],
    [
      'a function in a template',
      role({ allow: { ledger: { labels: { a: 'b' }, users: ['{{email.local(external.email)}}'] } } }),
      /^allow\.ledger\.users\[0\]: .*there is no function email\.local$/,
    ],
    [
      'a template in the name of an access key',
      role({ allow: { ledger: { labels: { a: 'b' }, '{{internal.x}}': [] } } }),
      /^allow\.ledger\.\{\{internal\.x\}\}: unknown key/,
    ],
    [
      'access keys for every protocol',
      role({ allow: { '*': { labels: { a: 'b' }, users: ['x'] } } }),
      /^allow\.\*: an entry for every protocol has labels only, and users/,
    ],
    [
      'an unknown verb',
      role({ allow: { rules: [{ kinds: ['user'], verbs: ['erase'] }] } }),
      /^allow\.rules\[0\]\.verbs\[0\]: /,
    ],
    ['a rule without verbs', role({ allow: { rules: [{ kinds: ['user'] }] } }), /^allow\.rules\[0\]\.verbs: /],
    [
      'a key __proto__',
      JSON.parse('{"kind":"role","name":"x","allow":{"ledger":{"labels":{"env":"prod","__proto__":"x"}}}}'),
      /^allow\.ledger\.labels\.__proto__: this key is reserved$/,
    ],
    ['a text past all use', role({ description: 'x'.repeat(5000) }), /^description: a text is longer/],
    [
      'more parts than any role has',
      role({ allow: { ledger: { list: new Array(30_000).fill(1) } } }),
      /the document is too large/,
    ],
  ];
  for (const [what, document, want] of refused)
    it(`is refused with ${what}`, () => {
      const found = problems(document);
      assert.ok(
        found.some((text) => want.test(text)),
        found.join('\n'),
      );
      assert.equal(checkRole(document, protocols).role, undefined);
    });

  it('is refused where it is nested without end', () => {
    const loop: Record<string, unknown> = {};
    loop['loop'] = loop;
    assert.match(problems(role({ allow: { ledger: loop } }))[0] ?? '', /nested deeper/);
  });

  it('lists every mistake, not only the first', () => {
    assert.equal(problems(role({ alow: {}, options: { audit: 'x', pin: true } })).length, 3);
  });

  it('throws every problem in one error for whoever wants a role or nothing', () => {
    assert.throws(
      () => parseRole(role({ alow: {}, options: { pin: true } }), protocols),
      (error) => PosternError.is(error) && error.code === 'invalid_argument' && error.message.split('\n').length === 2,
    );
  });

  const doubtful: readonly [what: string, document: object, want: RegExp][] = [
    [
      'a protocol that is not enabled',
      role({ allow: { leger: { labels: { a: 'b' }, x: 1 } } }),
      /^allow\.leger: no protocol leger is enabled here; did you mean ledger\?$/,
    ],
    [
      'an allow entry without labels',
      role({ allow: { ledger: { users: ['x'] } } }),
      /^allow\.ledger: has no labels, so it allows nothing/,
    ],
    [
      'an allow entry without access keys',
      role({ allow: { ledger: { labels: { a: 'b' } } } }),
      /^allow\.ledger: has labels only/,
    ],
    [
      'a deny entry without labels',
      role({ deny: { ledger: { users: ['x'] } } }),
      /^deny\.ledger: has no labels, so it is about every resource/,
    ],
    [
      'an unknown kind of API object',
      role({ deny: { rules: [{ kinds: ['usr'], verbs: ['*'] }] } }),
      /^deny\.rules\[0\]\.kinds\[0\]: the API of this version has no kind usr; did you mean user\?$/,
    ],
  ];
  for (const [what, document, want] of doubtful)
    it(`warns about ${what}`, () => {
      assert.deepEqual(problems(document), []);
      assert.match(warnings(document).join('\n'), want);
    });
});
