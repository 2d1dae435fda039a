import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EnvelopeSealer } from '../../src/certificates/index.js';
import { maximumSecretLength } from '../../src/certificates/sealing.js';
import { memoryWrapper, refusal } from './support.js';

describe('a sealed secret', () => {
  const sealer = new EnvelopeSealer(memoryWrapper());
  const secret = Buffer.from('a private key');

  it('opens under its name', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ minLength: 1, maxLength: 60 }),
        fc.uint8Array({ maxLength: 500 }),
        async (raw, bytes) => {
          const name = raw.replaceAll('\0', '_');
          assert.deepEqual(await sealer.open(name, await sealer.seal(name, bytes)), Buffer.from(bytes));
        },
      ),
      { numRuns: 50 },
    );
  });

  it('does not open under another name: the attack of moving it', async () => {
    const sealed = await sealer.seal('authorities/user', secret);
    await assert.rejects(
      sealer.open('authorities/host', sealed),
      refusal('internal', /authorities\/host.* does not open/),
    );
  });

  it('does not open with the body of another secret: the attack of exchanging a part', async () => {
    const [one = '', other = ''] = await Promise.all([
      sealer.seal('a', secret),
      sealer.seal('a', Buffer.from('another')),
    ]);
    const parts = one.split('.');
    const mixed = [...parts.slice(0, 3), other.split('.')[3]].join('.');
    await assert.rejects(sealer.open('a', mixed), refusal('internal', /does not open/));
  });

  it('does not open with a single character changed, wherever it is', async () => {
    const sealed = await sealer.seal('a', secret);
    for (let i = 0; i < sealed.length; i += 1) {
      const changed = sealed.slice(0, i) + (sealed[i] === 'A' ? 'B' : 'A') + sealed.slice(i + 1);
      const opened = await sealer.open('a', changed).catch((error: unknown) => error);
      // The last character of a base64 group may hold bits that mean nothing.
      if (Buffer.isBuffer(opened)) assert.deepEqual(opened, secret);
      else assert.ok(refusal('internal', /./)(opened));
    }
  });

  it('is different each time, and shows nothing of the secret', async () => {
    const [one, other] = await Promise.all([sealer.seal('a', secret), sealer.seal('a', secret)]);
    assert.notEqual(one, other);
    assert.ok(!one.includes(secret.toString('base64url').slice(0, 8)));
    assert.match(one, /^postern-sealed-v1\.memory\./);
  });

  it('opens with a former wrapping key, and new ones are sealed with the current', async () => {
    const old = memoryWrapper('old');
    const sealed = await new EnvelopeSealer(old).seal('a', secret);
    const rotated = new EnvelopeSealer(memoryWrapper('new'), old);
    assert.deepEqual(await rotated.open('a', sealed), secret);
    assert.match(await rotated.seal('a', secret), /^postern-sealed-v1\.new\./);
  });

  it('names the missing wrapping key', async () => {
    const sealed = await new EnvelopeSealer(memoryWrapper('lost')).seal('a', secret);
    await assert.rejects(sealer.open('a', sealed), refusal('internal', /sealed with wrapping key lost/));
  });

  it('does not open with another key of the same id', async () => {
    const sealed = await new EnvelopeSealer(memoryWrapper('k')).seal('a', secret);
    await assert.rejects(
      new EnvelopeSealer(memoryWrapper('k')).open('a', sealed),
      refusal('internal', /does not open/),
    );
  });

  for (const text of [
    '',
    'postern-sealed-v2.a.b.c',
    'postern-sealed-v1.memory.AA',
    'postern-sealed-v1.memory.AA.AA',
    '\n',
  ])
    it(`is not ${JSON.stringify(text)}`, async () => {
      await assert.rejects(sealer.open('a', text), refusal('internal', /./));
    });

  it('has a name without NUL and a bounded size', async () => {
    await assert.rejects(sealer.seal('a\0b', secret), refusal('invalid_argument', /cannot name/));
    await assert.rejects(sealer.seal('', secret), refusal('invalid_argument', /cannot name/));
    await assert.rejects(sealer.seal('x'.repeat(513), secret), refusal('invalid_argument', /cannot name/));
    const large = Buffer.alloc(maximumSecretLength);
    assert.deepEqual(await sealer.open('a', await sealer.seal('a', large)), large);
    await assert.rejects(
      sealer.seal('a', Buffer.alloc(maximumSecretLength + 1)),
      refusal('invalid_argument', /too long/),
    );
  });

  it('never appears in an error', async () => {
    const sealed = await sealer.seal('a', secret);
    const error: unknown = await sealer.open('b', sealed).catch((cause: unknown) => cause);
    assert.ok(error instanceof Error);
    assert.equal(error.cause, undefined);
    assert.ok(!error.message.includes(sealed.slice(30, 60)));
  });
});
