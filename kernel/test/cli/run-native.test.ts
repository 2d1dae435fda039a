import assert from 'node:assert/strict';
import { runNative } from '../../src/cli/run-native.js';

describe('a native program', () => {
  it('passes its exit code on', async () => {
    assert.equal(await runNative({ program: '/bin/sh', args: ['-c', 'exit 7'] }), 7);
  });

  it('that a signal ended says so as a shell does', async () => {
    assert.equal(await runNative({ program: '/bin/sh', args: ['-c', 'kill -TERM $$'] }), 143);
  });

  it('gets the variables that it needs', async () => {
    assert.equal(await runNative({ program: '/bin/sh', args: ['-c', 'exit "$CODE"'], env: { CODE: '9' } }), 9);
  });

  it('that is not installed is an error that says what to do', async () => {
    await assert.rejects(runNative({ program: 'no-such-program-here', args: [] }), {
      code: 'unavailable',
      message: /is not installed here, or not in PATH/,
    });
  });
});
