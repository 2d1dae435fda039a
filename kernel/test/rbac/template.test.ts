import assert from 'node:assert/strict';
import { expandList } from '../../src/rbac/index.js';
import { parseTemplate } from '../../src/rbac/template.js';

const traits = { logins: ['app', 'root'], team: ['core'], 'http://claims/group': ['a b'], empty: [], blank: ['', 'x'] };

describe('template', () => {
  const table: readonly [texts: string[], want: string[]][] = [
    [['{{internal.logins}}'], ['app', 'root']],
    [['{{ external.logins }}'], ['app', 'root']],
    [
      ['x', '{{internal.logins}}', 'y'],
      ['x', 'app', 'root', 'y'],
    ],
    [['app-{{external.team}}'], ['app-core']],
    [['{{external.logins}}@db'], ['app@db', 'root@db']],
    [['{{external["http://claims/group"]}}'], ['a b']],
    [['{{internal.unknown}}'], []],
    [['app-{{internal.unknown}}'], []],
    [['{{internal.empty}}'], []],
    [
      ['no template', '}}', '{x}'],
      ['no template', '}}', '{x}'],
    ],
  ];
  for (const [texts, want] of table)
    it(`expands ${JSON.stringify(texts)} to ${JSON.stringify(want)}`, () => {
      assert.deepEqual(expandList(texts, traits), want);
    });

  for (const text of [
    '{{logins}}',
    '{{internal}}',
    '{{internal.}}',
    '{{internal.a.b}}',
    '{{env.HOME}}',
    '{{internal.logins',
    '{{internal.logins}}{{internal.team}}',
    '{{}}',
    '{{internal.logins | upper}}',
    "{{external['x']}}",
    '{{external["a\\"b"]}}',
    '{{{internal.logins}}}',
    '{{constructor.constructor("return 1")()}}',
  ])
    it(`refuses ${text}`, () => {
      assert.equal(parseTemplate(text).kind, 'malformed');
      assert.deepEqual(expandList([text], traits), []);
    });

  it('names a function that there is not', () => {
    const parsed = parseTemplate('{{email.local(external.email)}}');
    assert.ok(parsed.kind === 'malformed' && /there is no function email\.local/.test(parsed.problem));
  });

  it('an empty trait value does not become an empty text that could match', () => {
    assert.deepEqual(expandList(['{{internal.blank}}', 'app-{{internal.blank}}'], traits), ['x', 'app-x']);
  });

  it('a trait value that looks like a template is not expanded again', () => {
    const nested = { team: ['{{internal.logins}}'], logins: ['root'] };
    assert.deepEqual(expandList(['{{external.team}}', 'x-{{external.team}}'], nested), [
      '{{internal.logins}}',
      'x-{{internal.logins}}',
    ]);
  });

  it('a trait named like a property of every object has no values', () => {
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty'])
      assert.deepEqual(expandList([`{{internal.${name}}}`], traits), []);
  });

  it('a trait that is inherited is not the user’s own', () => {
    assert.deepEqual(expandList(['{{internal.team}}'], Object.create({ team: ['core'] }) as typeof traits), []);
  });

  it('a trait that is no list of texts has no values', () => {
    const odd = { logins: 'root', team: [1, null, 'core'] } as unknown as Record<string, string[]>;
    assert.deepEqual(expandList(['{{internal.logins}}'], odd), []);
    assert.deepEqual(expandList(['{{internal.team}}'], odd), ['core']);
  });
});
