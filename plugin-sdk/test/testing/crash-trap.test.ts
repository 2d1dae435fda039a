import assert from 'node:assert/strict';
import { trapped } from '../../src/testing/crash-trap.js';

describe('trapped', () => {
  const listeners = (): number =>
    process.listenerCount('unhandledRejection') + process.listenerCount('uncaughtException');

  it('lets a check pass and fail by itself', async () => {
    const before = listeners();
    await trapped(async () => {});
    await assert.rejects(
      trapped(() => Promise.reject(new Error('as it should'))),
      /as it should/,
    );
    assert.equal(listeners(), before);
  });

  it('fails a check for a rejection that nobody handled', async () => {
    await assert.rejects(
      trapped(async () => void Promise.reject(new Error('floating'))),
      /nobody handled 1 error\(s\): Error: floating/,
    );
  });

  it('fails a check for an error in a callback', async () => {
    const thrower = (): never => {
      throw new Error('in a callback');
    };
    await assert.rejects(
      trapped(
        () =>
          new Promise((resolve) => {
            setImmediate(thrower);
            setTimeout(resolve, 5);
          }),
      ),
      /in a callback/,
    );
  });
});
