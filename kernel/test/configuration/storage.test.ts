import assert from 'node:assert/strict';
import { parseConfiguration } from '../../src/configuration/index.js';

describe('where the storage is', () => {
  const table: readonly [endpoint: string, problem: RegExp | undefined][] = [
    ['https://a.example:2379', undefined],
    ['http://[::1]:2379', undefined],
    ['a.example', /write https:\/\/host:port/],
    ['ftp://a.example', /write https:\/\/host:port/],
    ['https://a.example/path', /and nothing else/],
    ['https://user:word@a.example', /a password has a key of its own/],
  ];
  for (const [endpoint, problem] of table)
    it(`${problem ? 'is not' : 'is'} at ${endpoint}`, () => {
      const parse = (): unknown =>
        parseConfiguration(`storage: { kind: etcd, endpoints: ['${endpoint}'] }`, '/etc/postern.yaml');
      if (problem)
        assert.throws(parse, (error: Error) => problem.test(error.message) && /:1:\d+: /.test(error.message));
      else assert.ok(parse());
    });
});
