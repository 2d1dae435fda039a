import assert from 'node:assert/strict';
import { decideVisible, summary, visible } from '../../src/rbac/index.js';
import { books, everywhere, holding, ledger, protocols, type Circumstances } from './world.js';

const resources = [
  { kind: 'ledger', name: 'prod', labels: { env: 'prod' } },
  { kind: 'ledger', name: 'staging', labels: { env: 'staging' } },
  { kind: 'desk', name: 'front', labels: { env: 'prod' } },
];
const seen = (documents: Record<string, object>, circumstances: Circumstances = {}): string[] =>
  visible(holding(documents, circumstances), resources, protocols).map(
    ({ resource, principals }) => `${resource.name}:${principals.join('+')}`,
  );

describe('visible', () => {
  const staging = { allow: { ledger: { labels: { env: 'staging' }, users: ['a'] } } };
  const all = { allow: { ledger: { ...everywhere, users: ['b', 'root'] } } };
  const table: readonly [fact: string, documents: Record<string, object>, want: string[]][] = [
    ['shows nothing without roles', {}, []],
    ['shows what the labels of an entry select, with its principals', { staging }, ['staging:a']],
    ['shows the union of roles', { staging, all }, ['prod:b+root', 'staging:a+b+root']],
    [
      'hides what a deny without access keys selects',
      { all, x: { deny: { ledger: { labels: { env: 'prod' } } } } },
      ['staging:b+root'],
    ],
    [
      'does not hide for a deny with access keys, but leaves out whom it names',
      {
        all,
        x: { deny: { ledger: { labels: { env: 'prod' }, users: ['root'] } } },
      },
      ['prod:b', 'staging:b+root'],
    ],
    ['hides what only an entry with labels alone is about', { x: { allow: { ledger: everywhere } } }, []],
    [
      'hides where an entry for every kind meets no preset',
      { x: { allow: { '*': { labels: { env: 'prod' } } } } },
      ['prod:'],
    ],
    ['hides everything from the holder of a role that cannot be read', { all, x: { oops: 1 } }, []],
  ];
  for (const [fact, documents, want] of table)
    it(fact, () => {
      assert.deepEqual(seen(documents), want);
    });

  it('shows nothing to somebody who is locked', () => {
    assert.deepEqual(seen({ all }, { locks: [{ target: { user: 'alice' } }] }), []);
  });

  it('can be explained', () => {
    const decision = decideVisible({ subject: holding({ staging }), resource: books, protocol: ledger });
    assert.equal(
      summary(decision),
      'alice may not see ledger/books: no role of alice allows ledger on env=prod; role staging, allow.ledger: allows env=staging only',
    );
  });
});
