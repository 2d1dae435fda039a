import assert from 'node:assert/strict';
import { authorityKinds, signsFrom, type AuthorityKind, type KeySet } from '../../src/certificates/index.js';
import { generateAuthorityKey } from '../../src/certificates/authority-key.js';
import { decodeKeySet, encodeKeySet } from '../../src/certificates/key-set.js';
import { advanceRotation, droppedKeys, rollBackRotation, startRotation } from '../../src/certificates/rotation-step.js';
import { cluster, refusal } from './support.js';

const now = new Date('2026-11-25T12:00:00Z');

async function standing(kind: AuthorityKind): Promise<KeySet> {
  const { key } = await generateAuthorityKey(cluster, kind, now);
  return { v: 1, kind, cluster, phase: 'standby', active: [key.id], trusted: [key] };
}

async function begun(set: KeySet): Promise<KeySet> {
  const { key } = await generateAuthorityKey(cluster, set.kind, now);
  return startRotation(set, key, now);
}

/** Which keys sign and which are trusted, as the letters of the old and the new one. */
function letters(set: KeySet, old: string): string {
  const letter = (id: string): string => (id === old ? 'o' : 'n');
  return `${set.active.map(letter).join('')}/${set.trusted.map(({ id }) => letter(id)).join('')}`;
}

describe('the rotation of an authority', () => {
  for (const kind of authorityKinds)
    it(`goes from one ${kind} key to the next, and both are trusted on the way`, async () => {
      const set = await standing(kind);
      const old = set.trusted[0]?.id ?? '';
      let at = await begun(set);
      const seen = [[at.phase, letters(at, old)]];
      while (at.phase !== 'standby') {
        at = advanceRotation(at, now);
        seen.push([at.phase, letters(at, old)]);
        assert.deepEqual(decodeKeySet(encodeKeySet(at)), at);
      }
      const early = signsFrom[kind] === 'update_clients';
      assert.deepEqual(seen, [
        ['init', 'o/on'],
        ['update_clients', early ? 'n/on' : 'o/on'],
        ['update_servers', 'n/on'],
        // What an audit key signed is verified for ever.
        ['standby', kind === 'audit' ? 'n/no' : 'n/n'],
      ]);
      assert.deepEqual(droppedKeys(set, at), [old]);
    });

  for (const steps of [0, 1, 2])
    it(`can be taken back after ${steps} steps: the old key signs again, and then is alone`, async () => {
      const set = await standing('user');
      const old = set.trusted[0]?.id ?? '';
      let at = await begun(set);
      for (let step = 0; step < steps; step++) at = advanceRotation(at, now);
      const back = rollBackRotation(at, now);
      assert.deepEqual([back.phase, letters(back, old)], ['rollback', 'o/on']);
      const after = advanceRotation(back, now);
      assert.deepEqual([after.phase, letters(after, old)], ['standby', 'o/o']);
      assert.deepEqual(droppedKeys(back, after), [back.incoming]);
      assert.equal(after.rotated, undefined);
    });

  it('keeps an audit key whose rotation was taken back: what it signed meanwhile is there for good', async () => {
    const set = await begun(await standing('audit'));
    const back = rollBackRotation(advanceRotation(set, now), now);
    const after = advanceRotation(back, now);
    assert.deepEqual([after.active, after.trusted], [[set.trusted[0]?.id], set.trusted]);
    assert.deepEqual(droppedKeys(back, after), [set.incoming]);
  });

  it('does not begin twice, and goes neither on nor back where there is none', async () => {
    const set = await standing('host');
    const { key } = await generateAuthorityKey(cluster, 'host', now);
    assert.throws(() => startRotation(startRotation(set, key, now), key, now), refusal('conflict', /in phase init/));
    assert.throws(() => advanceRotation(set, now), refusal('conflict', /is not being rotated/));
    assert.throws(() => rollBackRotation(set, now), refusal('conflict', /no rotation/));
    const back = rollBackRotation(await begun(set), now);
    assert.throws(() => rollBackRotation(back, now), refusal('conflict', /no rotation/));
  });

  it('keeps the audit keys of seven rotations, and no more', async () => {
    let set = await standing('audit');
    const ids = [set.active[0]];
    for (let turn = 0; turn < 9; turn++) {
      set = await begun(set);
      ids.unshift(set.incoming);
      while (set.phase !== 'standby') set = advanceRotation(set, now);
    }
    assert.deepEqual(
      set.trusted.map(({ id }) => id),
      ids.slice(0, 8),
    );
  });

  it('is not read where its new key is missing', async () => {
    const { incoming: _, ...forged } = await begun(await standing('user'));
    assert.throws(() => decodeKeySet(JSON.stringify(forged)), refusal('internal', /malformed/));
  });
});
