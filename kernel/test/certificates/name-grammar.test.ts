import assert from 'node:assert/strict';
import {
  checkName,
  clusterName,
  databaseUserName,
  dnsName,
  isInsideCluster,
  serviceName,
  userName,
} from '../../src/certificates/index.js';
import { checkServerNames } from '../../src/certificates/name-grammar.js';
import { refusal } from './support.js';

describe('names', () => {
  const hostile = [
    'alice,O=admins',
    'alice/CN=root',
    'alice\nCN=root',
    'alice\0',
    'alice\r',
    '"alice"',
    'alice+OU=x=y',
    'al ice',
    'alicé',
    'аlice',
    '-alice',
    '../alice',
    'alice;id',
    '#alice',
    '',
    'a'.repeat(65),
  ];
  for (const [what, grammar] of [
    ['user', userName],
    ['service', serviceName],
    ['database user', databaseUserName],
  ] as const)
    for (const name of hostile)
      it(`refuse ${JSON.stringify(name.slice(0, 20))} for a ${what}`, () => {
        assert.throws(() => checkName(grammar, what, name), refusal('invalid_argument', new RegExp(what)));
      });

  for (const name of ['alice', 'alice@example.com', 'a.b-c_d+e', '_backup', '4lice', 'A'.repeat(64)])
    it(`accept ${name.slice(0, 20)} for a user`, () => {
      assert.equal(checkName(userName, 'user', name), name);
    });

  for (const name of ['Cluster.test', '.test', 'a..b', '-a.test', 'a-.test', 'a.test.', '*.a.test', 'a b.test', ''])
    it(`refuse ${JSON.stringify(name)} for DNS`, () => {
      assert.throws(() => checkName(dnsName, 'name', name), refusal('invalid_argument', /DNS name/));
    });

  it('of a cluster fit the name of its authorities', () => {
    assert.equal(clusterName.safeParse(`${'a'.repeat(60)}.com`).success, true);
    assert.equal(clusterName.safeParse(`${'a'.repeat(61)}.com`).success, false);
  });

  const inside = [
    { name: 'cluster.test', want: true },
    { name: 'main.db.cluster.test', want: true },
    { name: 'evilcluster.test', want: false },
    { name: 'cluster.test.evil.org', want: false },
    { name: 'test', want: false },
  ];
  for (const { name, want } of inside)
    it(`${want ? 'hold' : 'do not hold'} ${name} for the cluster's own`, () => {
      assert.equal(isInsideCluster(name, 'cluster.test'), want);
    });

  it('of a server are at least one and at most 64, each of them once', () => {
    assert.throws(() => checkServerNames([], 'a.test'), refusal('invalid_argument', /1 to 64/));
    const many = Array.from({ length: 65 }, (_, i) => `n${i}.a.test`);
    assert.throws(() => checkServerNames(many, 'a.test'), refusal('invalid_argument', /1 to 64/));
    assert.deepEqual(checkServerNames(['x.a.test', 'x.a.test'], 'a.test'), ['x.a.test']);
  });
});
