import assert from 'node:assert/strict';
import { readRequestPath } from '../src/request-path.js';
import { clientLocation } from '../src/forwarded-headers.js';

describe('the path of a request', () => {
  const good: readonly (readonly [string, string, string])[] = [
    ['/', '/', '/'],
    ['/a/b?x=../y', '/a/b', '/a/b?x=../y'],
    ['/a//b///c', '/a/b/c', '/a/b/c'],
    ['//evil.example/a', '/evil.example/a', '/evil.example/a'],
    ['/%61dmin', '/admin', '/admin'],
    ['/a%20b%c3%a4', '/a bä', '/a%20b%C3%A4'],
    ['/a.b/..c/...', '/a.b/..c/...', '/a.b/..c/...'],
    ['/http:/a', '/http:/a', '/http:/a'],
    ['/100%25', '/100%', '/100%25'],
    ['/a?b?c', '/a', '/a?b?c'],
  ];
  for (const [target, path, forwarded] of good)
    it(`${target} is decided as ${path}`, () => {
      const read = readRequestPath(target, false);
      assert.deepEqual([read.readings, read.forwarded], [[path], forwarded]);
    });

  const bad = [
    '/a/../b', '/..', '/a/./b', '/a/%2e%2e/b', '/a/.%2E/b', '/%2e', '/a%2fb', '/a%2Fb', '/a%5cb', '/a\\b', '/..\\b',
    '/a%00', '/a%0d%0ab', '/a%7f', '/a;b', '/..;/b', '/a%3bb', '/%252e%252e/a', '/a%252fb', '/%25%32%65', '/%c0%ae%c0%ae/a',
    '/%e9', '/%', '/%zz', '/a%e2%80%a8b', '/a%ef%bb%bfb',
  ]; // prettier-ignore
  for (const target of bad)
    it(`attack: ${target}`, () =>
      void assert.throws(() => readRequestPath(target, false), { code: 'protocol_violation' }));

  it('has two readings where parameters are allowed, and both are decided', () => {
    assert.deepEqual(readRequestPath('/a;x=1/b;y', true).readings, ['/a;x=1/b;y', '/a/b']);
    for (const target of ['/..;/b', '/a/.;x/b', '/.;.;/b'])
      assert.throws(() => readRequestPath(target, true), { code: 'protocol_violation' });
  });
});

describe('a redirect', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['http://in:80/a?b', '', '/a?b'],
    ['https://IN:80', '', '/'],
    ['http://in:80/app/a', '/app', '/a'],
    ['/app', '/app', '/'],
    ['/application', '/app', '/application'],
    ['http://elsewhere/a', '', 'http://elsewhere/a'],
    ['//elsewhere/a', '', '//elsewhere/a'],
    ['http://in:80//evil.example/', '', '/evil.example/'],
    ['a/b', '', 'a/b'],
  ];
  for (const [location, prefix, expected] of cases)
    it(`to ${location} goes to ${expected}`, () => assert.equal(clientLocation(location, ['in:80'], prefix), expected));
});
