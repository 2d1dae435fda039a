import assert from 'node:assert/strict';
import { describeTarget, lockDocument, lockedBy, type Lock } from '../../src/rbac/index.js';
import { identity, now } from './world.js';

const alice = identity({ roles: ['dev', 'ops'], requests: ['r-1'], mfa: { device: 'key-1', at: now } });
const isLocked = (target: object, rest: Partial<Lock> = {}): boolean =>
  lockedBy({ identity: alice, resource: { kind: 'lines', name: 'one' } }, [{ target: target, ...rest }], now) !==
  undefined;

describe('a lock', () => {
  const table: readonly [target: object, want: boolean][] = [
    [{ user: 'alice' }, true],
    [{ user: 'alic' }, false],
    [{ user: 'Alice' }, false],
    [{ user: '*' }, false],
    [{ role: 'ops' }, true],
    [{ role: 'op' }, false],
    [{ serial: '0a1b' }, true],
    [{ serial: 'A:1B' }, true],
    [{ serial: '00:0a:1b' }, true],
    [{ serial: '1b' }, false],
    [{ mfa_device: 'key-1' }, true],
    [{ mfa_device: 'key-2' }, false],
    [{ request: 'r-1' }, true],
    [{ request: 'r-2' }, false],
    [{ resource: 'lines/one' }, true],
    [{ resource: 'lines/on' }, false],
    [{ resource: 'one' }, false],
    [{ user: 'alice', role: undefined }, true],
  ];
  for (const [target, want] of table)
    it(`on ${JSON.stringify(target)} is ${want ? '' : 'not '}about somebody with the roles dev and ops at lines/one`, () => {
      assert.equal(isLocked(target), want);
    });

  it('ends when it expires', () => {
    assert.equal(isLocked({ user: 'alice' }, { expires: '2030-01-01T12:00:01Z' }), true);
    assert.equal(isLocked({ user: 'alice' }, { expires: '2030-01-01T12:00:00Z' }), false);
    assert.equal(isLocked({ user: 'alice' }, { expires: '2029-01-01T00:00:00Z' }), false);
  });

  it('never ends where its end cannot be read', () => {
    assert.equal(isLocked({ user: 'alice' }, { expires: 'soon' }), true);
  });

  it('on something that this version does not know is about everybody', () => {
    assert.equal(isLocked({ planet: 'mars' }), true);
    assert.equal(isLocked({ constructor: 'x' }), true);
    assert.equal(isLocked({}), true);
  });

  it('is found among others', () => {
    const locks: Lock[] = [{ target: { user: 'bob' } }, { target: { role: 'dev' }, message: 'audit' }];
    assert.equal(lockedBy({ identity: alice }, locks, now)?.message, 'audit');
    assert.equal(lockedBy({ identity: identity({ roles: [] }) }, locks, now), undefined);
  });

  it('on a resource is about nobody who is not on the way there', () => {
    assert.equal(lockedBy({ identity: alice }, [{ target: { resource: 'lines/one' } }], now), undefined);
  });

  it('says what it is on', () => {
    assert.equal(describeTarget({ mfa_device: 'key-1' }), 'mfa device key-1');
    assert.equal(describeTarget({}), 'everybody');
  });

  describe('document', () => {
    const lock = (change: object): object => ({ kind: 'lock', name: 'l-1', target: { user: 'alice' }, ...change });
    it('passes for each kind of target', () => {
      for (const target of [{ user: 'a' }, { role: 'a' }, { serial: 'A1:b2' }, { mfa_device: 'a' }, { request: 'a' }])
        assert.ok(lockDocument.safeParse(lock({ target })).success, JSON.stringify(target));
    });

    const refused: readonly object[] = [
      { target: {} },
      { target: { user: 'a', role: 'b' } },
      { target: { usr: 'a' } },
      { target: { serial: 'xyz' } },
      { target: { user: '' } },
      { expires: 'tomorrow' },
      { message: 'x'.repeat(600) },
      { extra: 1 },
    ];
    for (const change of refused)
      it(`is refused with ${JSON.stringify(change).slice(0, 60)}`, () => {
        assert.equal(lockDocument.safeParse(lock(change)).success, false);
      });
  });
});
