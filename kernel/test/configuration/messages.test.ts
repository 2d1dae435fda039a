import assert from 'node:assert/strict';
import { PosternError } from '@postern/plugin-sdk';
import { parseConfiguration } from '../../src/configuration/index.js';

/** What is said to the operator about a text, line by line. */
function problems(text: string): readonly string[] {
  try {
    parseConfiguration(text, 'postern.yaml');
  } catch (cause) {
    assert.ok(PosternError.is(cause), `not an error of ours: ${String(cause)}`);
    assert.equal(cause.code, 'invalid_config');
    assert.equal(cause.publicMessage, cause.message);
    return cause.message.split('\n').map((line) => line.replace(/^postern\.yaml:/, ''));
  }
  return [];
}

const top = 'known here: cluster, data, log, diagnostics, storage, auth, proxy, agent, plugins';

const table: readonly (readonly [what: string, text: string, ...problems: string[]])[] = [
  ['a mistyped key', 'clutser: a.b\n', '1:1: unknown key clutser; did you mean cluster?'],
  ['a key of another world', 'replicas: 3\n', `1:1: unknown key replicas; ${top}`],
  ['a mistyped key of a section', 'proxy:\n  lisen: 1\n', '2:3: unknown key proxy.lisen; did you mean listen?'],
  [
    'a mistyped key in a list',
    'proxy:\n  ports:\n    - listen: :1\n      kind: a\n      resorce: x\n',
    '5:7: unknown key proxy.ports.0.resorce; did you mean resource?',
  ],
  [
    'a mistyped key three levels down',
    'agent:\n  accept:\n    deny_adresses: []\n',
    '3:5: unknown key agent.accept.deny_adresses; did you mean deny_addresses?',
  ],
  [
    'a mistyped key in a mapping on one line',
    'agent: { probes: { intervall: 5s } }\n',
    '1:20: unknown key agent.probes.intervall; did you mean interval?',
  ],
  ['line ends of Windows', 'cluster: a.b\r\nclutser: c\r\n', '2:1: unknown key clutser; did you mean cluster?'],
  [
    'several mistakes at once',
    'proxy:\n  enabled: 1\n  lisen: 1\nlog: { level: loud }\n',
    '4:8: log.level: Invalid option: expected one of "debug"|"info"|"warn"|"error"',
    '2:3: proxy.enabled: Invalid input: expected boolean, received number',
    '3:3: unknown key proxy.lisen; did you mean listen?',
  ],
  [
    'text for a switch',
    'proxy:\n  enabled: "yes"\n',
    '2:3: proxy.enabled: Invalid input: expected boolean, received string',
  ],
  ['a list for a section', 'proxy: []\n', '1:1: proxy: Invalid input: expected object, received array'],
  ['nothing for a section', 'proxy:\n', '1:1: proxy: Invalid input: expected object, received null'],
  ['a list', '- a\n', '1:1: Invalid input: expected object, received array'],
  ['a word', 'hello\n', '1:1: Invalid input: expected object, received string'],
  ['a port above 65535', 'proxy: { listen: "1:99999" }\n', '1:10: proxy.listen: ports end at 65535'],
  [
    'a resource without a name',
    'agent:\n  resources:\n    - kind: a\n',
    '3:7: agent.resources.0.name: Invalid input: expected string, received undefined',
  ],
  ['a key twice', 'cluster: a.b\ncluster: c.d\n', '2:1: Map keys must be unique'],
  ['a key twice in a section', 'proxy:\n  enabled: true\n  enabled: false\n', '3:3: Map keys must be unique'],
  ['a tab', 'proxy:\n\tlisten: 1\n', '2:1: Tabs are not allowed as indentation'],
  ['an open quote', 'data: "x\n', '2:1: Missing closing "quote'],
  [
    'a second document',
    'cluster: a.b\n---\ncluster: c.d\n',
    '3:1: a second document begins here; a configuration is exactly one YAML document',
  ],
  ['a key that is the prototype', '__proto__: { cluster: x.y }\n', `1:1: unknown key __proto__; ${top}`],
  ['an alias of nothing', 'proxy: *nope\n', '1:8: the alias stands for nothing'],
  ['an alias that contains itself', 'plugins: &a\n  x: *a\n', '2:6: the alias contains itself'],
  [
    'a merge',
    'log: &x { level: info }\nauth: { <<: *x }\n',
    '2:9: unknown key auth.<<; known here: enabled, wrapping_key',
  ],
];

describe('what is said about a configuration', () => {
  for (const [what, text, ...wanted] of table)
    it(`with ${what} names the place`, () => assert.deepEqual(problems(text), wanted));

  it('is nothing for an alias that is used as meant', () => {
    assert.deepEqual(problems('proxy: { listen: &l "127.0.0.1:1", public_address: *l }\n'), []);
  });
});

describe('an alias bomb', () => {
  const level = (name: string, of: string): string => `${name}: &${name} [${Array(9).fill(of).join(', ')}]\n`;
  const bomb = level('a', 'x') + level('b', '*a') + level('c', '*b') + level('d', '*c') + level('e', '*d');

  it('is refused before it grows', () => {
    assert.deepEqual(problems(bomb), ['1:1: the aliases of this document stand for too much']);
  });

  it('is refused in the section of a plugin, which the kernel does not look into', () => {
    const text = `plugins:\n  x:\n${bomb.replace(/^/gm, '    ').trimEnd()}\n`;
    assert.deepEqual(problems(text), ['1:1: the aliases of this document stand for too much']);
  });
});

describe('nesting without end', () => {
  for (const [what, text] of [
    ['lists', '['.repeat(2000)],
    ['closed lists', '['.repeat(2000) + ']'.repeat(2000)],
    ['mappings', Array.from({ length: 2000 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
    ['lists of a plugin', `plugins: { x: { y: ${'['.repeat(3000)}${']'.repeat(3000)} } }`],
  ] as const)
    it(`is refused, and ends nothing: ${what}`, () => assert.ok(problems(text).length > 0));
});

describe('a secret in a configuration', () => {
  const secret = 'hunter2-correct-horse';
  for (const [what, text] of [
    ['in the place of its source', `agent:\n  secrets:\n    pw: ${secret}\n`],
    ['as the value of a source that there is not', `agent:\n  secrets:\n    pw: { value: ${secret} }\n`],
    ['as the value of an unknown key', `pasword: ${secret}\n`],
    ['where a switch is expected', `proxy:\n  enabled: ${secret}\n`],
    ['where one of a few words is expected', `log: { level: ${secret} }\n`],
    ['where an address is expected', `proxy: { listen: ${secret} }\n`],
    ['where a name is expected', `cluster: ${secret}!\n`],
    ['behind an open quote', `data: "${secret}\n`],
    ['behind a quote', `data: "x" ${secret}\n`],
    ['behind the head of a text', `data: |${secret}\n  x\n`],
    ['behind two colons', `data: a: ${secret}\n`],
    ['as a tag with a handle', `data: !h!${secret} x\n`],
    ['as an alias', `data: *${secret}\n`],
    ['behind an escape', `data: "\\q${secret}"\n`],
    ['in a list that is not closed', `data: [${secret}\n`],
    ['behind a reserved character', `data: @${secret}\n`],
    ['as a directive', `%${secret} 1\n---\ncluster: X\n`],
  ] as const)
    it(`is never said again: ${what}`, () => {
      const said = problems(text);
      assert.ok(said.length > 0, 'nothing was said');
      assert.doesNotMatch(said.join('\n'), /hunter2|correct|horse/);
    });

  it('is told where it belongs', () => {
    assert.deepEqual(problems(`agent:\n  secrets:\n    pw: ${secret}\n`), [
      '3:5: agent.secrets.pw: write where the secret lies, { file: … } or { env: … }, and never the secret itself',
    ]);
  });
});
