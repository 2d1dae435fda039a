import assert from 'node:assert/strict';
import { setImmediate as tick } from 'node:timers/promises';
import fc from 'fast-check';
import { PosternError, type Onward } from '@postern/plugin-sdk';
import { duplexPair } from '@postern/plugin-sdk/testing';
import { postgresProxy } from '../src/proxy.js';
import { startupMessage } from '../src/startup.js';
import { cancelRequest, code, int32, readErrorFields } from '../src/wire.js';
import { TestOpening } from './support/test-opening.js';

const sslRequest = Buffer.concat([int32(8), int32(code.ssl)]);
const gssRequest = Buffer.concat([int32(8), int32(code.gss)]);
const startup = startupMessage({ user: 'app', database: 'bench', replication: false }, new Map());

/** What the proxy's half makes of a client that sends these segments, each once it was answered. */
async function talk(...segments: readonly Buffer[]): Promise<{ onward: Onward; answer: Buffer }> {
  const [client, ours] = duplexPair();
  const answers: Buffer[] = [];
  const left = [...segments];
  const next = (): void => void client.write(left.shift() ?? Buffer.alloc(0));
  client.on('data', (chunk: Buffer) => {
    answers.push(chunk);
    if (left.length > 0) next();
  });
  next();
  try {
    const onward = await postgresProxy.open(new TestOpening(ours));
    await tick();
    return { onward, answer: Buffer.concat(answers) };
  } finally {
    client.destroy();
    ours.destroy();
  }
}

describe("the proxy's half", () => {
  it('answers a request for TLS, and expects a ClientHello', async () => {
    assert.deepEqual(await talk(sslRequest), { onward: { kind: 'tls' }, answer: Buffer.from('S') });
  });

  it('declines GSS encryption, and goes on to TLS', async () => {
    assert.deepEqual(await talk(gssRequest, sslRequest), { onward: { kind: 'tls' }, answer: Buffer.from('NS') });
  });

  it('passes a request to cancel on to the session, with keys of any length', async () => {
    for (const length of [4, 32]) {
      const payload = Buffer.alloc(length, 9);
      const { onward, answer } = await talk(cancelRequest(Buffer.concat([int32(1234), payload])));
      assert.deepEqual(onward, { kind: 'signal', connection: 1234, payload });
      assert.equal(answer.length, 0);
    }
  });

  it('tells a client in clear that it needs TLS, and how', async () => {
    for (const segments of [[startup], [gssRequest, startup]]) {
      const { onward, answer } = await talk(...segments);
      assert.equal(onward.kind, 'closed');
      const fields = readErrorFields(answer.subarray(answer.indexOf('E') + 5));
      assert.equal(fields.severity, 'FATAL');
      assert.match(fields.message, /encrypted/);
      assert.match(fields.hint ?? '', /sslmode=verify-full/);
    }
  });

  it('bytes that come in one segment with the request for encryption close the connection (CVE-2021-23222)', async () => {
    for (const request of [sslRequest, gssRequest])
      for (const injected of [startup, Buffer.from([0x16]), sslRequest]) {
        const { onward, answer } = await talk(Buffer.concat([request, injected]));
        assert.deepEqual(onward, { kind: 'closed' });
        assert.equal(answer.length, 0);
      }
  });

  it('a client that asks for GSS encryption over and over is closed', async () => {
    assert.equal((await talk(gssRequest, gssRequest)).onward.kind, 'closed');
  });

  it('a startup of one gigabyte is refused before it is read', async () => {
    await assert.rejects(talk(Buffer.concat([int32(0x4000_0000), int32(code.version3)])), {
      code: 'protocol_violation',
    });
  });
});

describe('recognising PostgreSQL', () => {
  const verdict = (bytes: Buffer): string => {
    for (let length = 0; length < bytes.length; length += 1) {
      const answer = postgresProxy.recognise(bytes.subarray(0, length));
      if (answer !== 'more') return answer;
    }
    return postgresProxy.recognise(bytes);
  };

  it('takes the ways in which its clients begin', () => {
    const cancel = cancelRequest(Buffer.alloc(8));
    for (const bytes of [sslRequest, gssRequest, startup, cancel]) assert.equal(verdict(bytes.subarray(0, 8)), 'yes');
  });

  it('leaves what begins otherwise', () => {
    for (const bytes of [
      Buffer.from('SSH-2.0-x\r\n'),
      Buffer.from('GET / HTTP/1.1'),
      Buffer.from('160301', 'hex'),
      Buffer.from('0300002f2ae00000', 'hex'),
      Buffer.concat([int32(10_001), int32(code.version3)]),
      Buffer.concat([int32(7), int32(code.version3)]),
      Buffer.concat([int32(40), int32(2 << 16)]),
      Buffer.concat([int32(58), int32(1), int32(0), int32(2013)]),
    ])
      assert.equal(verdict(bytes), 'no');
  });

  it('never changes its mind, and opens what it recognises', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 8, maxLength: 24 }), async (bytes) => {
        const head = Buffer.from(bytes);
        assert.notEqual(postgresProxy.recognise(head), 'more');
        if (verdict(head) === 'yes')
          await talk(head).catch((cause: unknown) => assert.ok(PosternError.is(cause), String(cause)));
      }),
    );
  });
});
