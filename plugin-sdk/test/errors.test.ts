import assert from 'node:assert/strict';
import { errorCodes, PosternError } from '@postern/plugin-sdk';
import { denialFrom, denialOf } from '@postern/plugin-sdk/host';
import { secondCopy } from './support/second-copy.js';

describe('PosternError', () => {
  it('keeps what operators read from what clients see', () => {
    const error = new PosternError('upstream_auth', 'password of db_admin was refused by 10.0.0.5');
    assert.equal(error.publicMessage, 'upstream auth');
    assert.equal(error.name, 'PosternError');
    assert.equal(new PosternError('locked', 'x', { publicMessage: 'ask Bob' }).publicMessage, 'ask Bob');
    assert.equal(PosternError.public('not_found', 'no such user').publicMessage, 'no such user');
  });

  it('turns anything that was thrown into an internal error whose text stays inside', () => {
    const cause = new TypeError('x is undefined');
    assert.deepEqual(
      { ...describeError(PosternError.from(cause)) },
      { code: 'internal', message: 'x is undefined', publicMessage: 'internal', cause },
    );
    assert.equal(PosternError.from('a string').message, 'a string');
    assert.equal(PosternError.from(undefined).code, 'internal');
    const own = new PosternError('conflict', 'x');
    assert.equal(PosternError.from(own), own);
  });

  it('recognises errors of another copy of the SDK', async () => {
    const other = await secondCopy();
    const theirs = new other.PosternError('locked', 'for operators', { publicMessage: 'for everybody' });
    assert.equal(theirs instanceof PosternError, false);
    assert.equal(PosternError.is(theirs), true);
    assert.equal(PosternError.from(theirs).code, 'locked');
    assert.equal(other.PosternError.is(new PosternError('locked', 'x')), true);
    assert.deepEqual(denialOf(theirs), { code: 'locked', message: 'for everybody' });
  });

  it('does not take something else for its own', () => {
    for (const other of [null, undefined, 'x', new Error('x'), { code: 'locked' }])
      assert.equal(PosternError.is(other), false);
  });

  it('has sorted codes without a double', () => {
    assert.deepEqual([...errorCodes], [...new Set(errorCodes)].sort());
  });
});

describe('denialOf', () => {
  it('has words for every code, and never the operator’s', () => {
    for (const code of errorCodes) {
      const denial = denialOf(new PosternError(code, 'operators only'));
      assert.ok(denial.code, code);
      assert.equal(denial.message, code.replaceAll('_', ' '));
    }
  });

  it('gives nothing away about what nobody expected', () => {
    assert.deepEqual(denialOf(new Error('ENOENT /etc/secret')), { code: 'internal', message: 'internal' });
  });

  it('treats a code of a newer SDK as internal', () => {
    const newer = new PosternError('locked', 'x');
    for (const code of ['quota_exceeded', 'constructor', '__proto__']) {
      Object.defineProperty(newer, 'code', { value: code });
      assert.equal(denialOf(newer).code, 'internal');
    }
  });
});

describe('denialFrom', () => {
  it('takes the reason of an abort where it is a denial', () => {
    const denial = { code: 'locked', message: 'locked by an administrator' } as const;
    assert.deepEqual(denialFrom(denial), denial);
  });

  it('says no more than that it ended where it is something else', () => {
    for (const reason of [
      undefined,
      null,
      'x',
      new DOMException('secret', 'AbortError'),
      new PosternError('internal', 'secret'),
    ])
      assert.deepEqual(denialFrom(reason), { code: 'unavailable', message: 'the session was ended' });
  });
});

const describeError = ({ code, message, publicMessage, cause }: PosternError) => ({
  code,
  message,
  publicMessage,
  cause,
});
