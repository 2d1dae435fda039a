import assert from 'node:assert/strict';
import { GroupCommit } from '../../src/storage/group-commit.js';

const fulfilled = (value: string): PromiseSettledResult<string> => ({ status: 'fulfilled', value });

describe('a group commit', () => {
  it('runs what was submitted in one turn as one group, in order', async () => {
    const groups: (readonly string[])[] = [];
    const commits = new GroupCommit<string, string>((jobs) => {
      groups.push(jobs);
      return jobs.map(fulfilled);
    });
    const first = [commits.submit('a', 1), commits.submit('b', 1), commits.submit('c', 1)];
    assert.deepEqual(await Promise.all(first), ['a', 'b', 'c']);
    assert.equal(await commits.submit('d', 1), 'd');
    assert.deepEqual(groups, [['a', 'b', 'c'], ['d']]);
  });

  it('settles nothing before its group has run', async () => {
    let ran = false;
    const commits = new GroupCommit<string, string>((jobs) => {
      ran = true;
      return jobs.map(fulfilled);
    });
    const submitted = commits.submit('a', 1).then(() => assert.ok(ran));
    assert.equal(ran, false);
    await submitted;
  });

  it('settles each job with its own outcome', async () => {
    const commits = new GroupCommit<string, string>((jobs) =>
      jobs.map((job) => (job === 'bad' ? { status: 'rejected', reason: new Error('bad') } : fulfilled(job))),
    );
    const outcomes = await Promise.allSettled(['a', 'bad', 'b'].map((job) => commits.submit(job, 1)));
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
  });

  it('rejects the whole group when it fails, and goes on with the next', async () => {
    let failing = true;
    const commits = new GroupCommit<string, string>((jobs) => {
      if (failing) throw new Error('disk');
      return jobs.map(fulfilled);
    });
    const outcomes = await Promise.allSettled([commits.submit('a', 1), commits.submit('b', 1)]);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    failing = false;
    assert.equal(await commits.submit('c', 1), 'c');
  });

  it('bounds a group by number and by size, lets others run between groups, and never starves a large job', async () => {
    const groups: number[] = [];
    const commits = new GroupCommit<number, number>((jobs) => {
      groups.push(jobs.length);
      return jobs.map((value) => ({ status: 'fulfilled', value }));
    });
    const many = Array.from({ length: 300 }, (_, index) => commits.submit(index, 10));
    const large = [5, 1, 3, 2].map((mebibytes) => commits.submit(mebibytes, mebibytes * 1024 * 1024));
    let turns = 0;
    const count = (): void => void (turns++, groups.length < 5 && setImmediate(count));
    setImmediate(count);
    await Promise.all([...many, ...large]);
    assert.deepEqual(groups, [256, 44, 1, 2, 1]);
    assert.ok(turns >= 4);
  });

  for (const { what, bytes, room } of [
    { what: 'many jobs', bytes: 1, room: 16_384 },
    { what: 'large jobs', bytes: 1024 * 1024, room: 64 },
  ])
    it(`refuses with unavailable when ${what} would let the queue grow without bound`, async () => {
      const commits = new GroupCommit<number, number>((jobs) => jobs.map((value) => ({ status: 'fulfilled', value })));
      const accepted = Array.from({ length: room }, (_, index) => commits.submit(index, bytes));
      await assert.rejects(commits.submit(0, 1), {
        code: 'unavailable',
        message: `the store is overloaded: ${room} commits wait`,
      });
      assert.equal((await Promise.all(accepted)).length, room);
      assert.equal(await commits.submit(7, bytes), 7);
    });

  it('flushes at once', async () => {
    const commits = new GroupCommit<string, string>((jobs) => jobs.map(fulfilled));
    const submitted = ['a', 'b'].map((job) => commits.submit(job, 3 * 1024 * 1024));
    commits.flush();
    assert.deepEqual(await Promise.all(submitted), ['a', 'b']);
  });
});
