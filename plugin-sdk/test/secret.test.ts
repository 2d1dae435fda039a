import assert from 'node:assert/strict';
import { format, inspect } from 'node:util';
import { Secret } from '@postern/plugin-sdk';

describe('Secret', () => {
  const secret = new Secret('hunter2');

  it('reveals its value to whoever asks', () => {
    assert.equal(secret.reveal(), 'hunter2');
    assert.deepEqual(new Secret(Buffer.of(1)).reveal(), Buffer.of(1));
  });

  const mistakes: Record<string, (value: unknown) => string> = {
    'a template': (value) => `${String(value)}`,
    'a join': (value) => [value].join(),
    JSON: (value) => JSON.stringify({ value }),
    inspect: (value) => inspect({ value }, { depth: 9, showHidden: true }),
    format: (value) => format('%s %o %O %j', value, value, value, value),
    'an error message': (value) => new Error(`failed: ${value as string}`).message,
    'a copy': (value) => JSON.stringify({ ...(value as object) }) + inspect(structuredClone({ ...(value as object) })),
  };
  for (const [how, print] of Object.entries(mistakes))
    it(`does not show its value in ${how}`, () => {
      assert.equal(print(secret).includes('hunter2'), false, print(secret));
    });
});
