import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodePath, encodePath } from '../../src/storage/document-path.js';

const segments = fc.array(
  fc.oneof(fc.string({ minLength: 1 }), fc.constantFrom('/', '%', '%2F', '%25', '%252F', '.')),
  {
    minLength: 1,
    maxLength: 4,
  },
);

describe('a document path', () => {
  it('comes back as it was, whatever is in it', () => {
    fc.assert(fc.property(segments, (path) => assert.deepEqual(decodePath(encodePath(path)), path)));
  });

  it('a name with slashes does not reach into another document’s place', () => {
    assert.notEqual(encodePath('a/b'), encodePath(['a', 'b']));
    assert.notEqual(encodePath('a%2Fb'), encodePath('a/b'));
    assert.equal(encodePath('a/b'), 'a%2Fb');
  });

  it('has no empty parts', () => {
    for (const path of ['', ['a', ''], ['', 'a']]) assert.throws(() => encodePath(path), { code: 'invalid_argument' });
  });
});
