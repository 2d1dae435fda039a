import assert from 'node:assert/strict';
import { PosternError } from '@postern/plugin-sdk';
import { Double, Long, ObjectId, serialize, type Document } from 'bson';
import fc from 'fast-check';
import { MessageReader, type Message } from '../src/message-reader.js';
import { placesOf } from '../src/places.js';
import { ReplyFieldsReader } from '../src/reply-fields.js';
import { parseRequest } from '../src/request.js';
import { StatementText } from '../src/statement-text.js';
import { message } from './support/talk.js';

const bodies: readonly Document[] = [
  { find: 'a', filter: { x: { $gt: 1 } }, limit: 5, $db: 'shop' },
  { insert: 'a', documents: [{ _id: new ObjectId(), s: 'text', d: 1.5, n: null, b: true }], $db: 'shop' },
  { aggregate: 'a', pipeline: [{ $lookup: { from: 'b', as: 'c' } }, { $out: 'd' }], cursor: {}, $db: 'shop' },
  { getMore: Long.fromNumber(5), collection: 'a', $db: 'shop' },
  { hello: 1, client: { os: { name: 'x' } }, $db: 'admin' },
  { bulkWrite: 1, ops: [], nsInfo: [{ ns: 'a.b' }], $db: 'admin' },
  { explain: { find: 'a', filter: { r: /x/i, at: new Date(5) } }, $db: 'shop' },
];

const messages = [
  ...bodies.map((body) => message(body)),
  message({ insert: 'a', $db: 'shop' }, { sequences: { documents: [{ x: 1 }, { y: 'z' }] } }),
];

const read = (chunks: readonly Buffer[]): Message[] => {
  const reader = new MessageReader(100_000);
  return chunks.flatMap((chunk) => {
    reader.push(Buffer.from(chunk));
    const found: Message[] = [];
    for (let one = reader.next(); one; one = reader.next()) found.push(one);
    return found;
  });
};

/** A mistake is told as a mistake, whatever it is. */
function attempt(work: () => unknown): void {
  try {
    work();
  } catch (cause) {
    assert.ok(PosternError.is(cause), String(cause));
  }
}

const understand = (data: Buffer): void => {
  for (const one of read([data])) {
    const request = parseRequest(one);
    placesOf(request);
    new StatementText(4096).command(request.data, request.body);
  }
};

describe('messages of MongoDB', () => {
  it('are read the same wherever they are split', () => {
    const all = Buffer.concat(messages);
    for (let at = 0; at <= all.length; at += 1) {
      const found = read([all.subarray(0, at), all.subarray(at)]);
      assert.deepEqual(
        found.map(({ data }) => data.toString('hex')),
        messages.map((one) => one.toString('hex')),
      );
    }
    assert.equal(read([...all].map((byte) => Buffer.from([byte]))).length, messages.length);
  });

  it('are not taken for whole at any shorter length', () => {
    for (const one of messages)
      for (let length = 0; length < one.length; length += 1) assert.deepEqual(read([one.subarray(0, length)]), []);
  });

  it('are refused where they say that they are shorter than they are', () => {
    for (const one of messages.slice(0, bodies.length))
      for (let length = 16; length < one.length; length += 1) {
        const cut = Buffer.from(one.subarray(0, length));
        cut.writeInt32LE(length, 0);
        assert.throws(() => understand(cut), PosternError);
      }
  });

  for (const length of [-1, 0, 15, 100_001, 0x7fffffff])
    it(`are refused that announce ${length} bytes`, () => {
      const one = message({ ping: 1, $db: 'a' });
      one.writeInt32LE(length, 0);
      assert.throws(() => read([one]), /bytes was announced/);
    });

  it('are refused or understood, but nothing else, however any length in them lies', () => {
    for (const one of messages)
      for (let at = 16; at + 4 <= one.length; at += 1)
        for (const lie of [-1, 0, 4, 5, 0x7fffffff, -0x80000000]) {
          const liar = Buffer.from(one);
          liar.writeInt32LE(lie, at);
          attempt(() => understand(liar));
        }
  });

  it('are refused or understood after any damage', function () {
    this.timeout(300_000);
    const runs = process.env['POSTERN_TEST_FULL'] === '1' ? 200_000 : 3000;
    fc.assert(
      fc.property(
        fc.nat(messages.length - 1),
        fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        (which, edits) => {
          const damaged = Buffer.from(messages[which] ?? '');
          for (const [at, value] of edits) damaged[16 + (at % (damaged.length - 16))] = value;
          attempt(() => understand(damaged));
        },
      ),
      { numRuns: runs },
    );
  });

  it('are refused with more fields than any command has', () => {
    const many = Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`f${index}`, 1]));
    assert.throws(() => understand(message({ ping: 1, ...many, $db: 'a' })), /more than 512 fields/);
  });
});

describe('the fields of a reply', () => {
  const reply = serialize({
    cursor: {
      firstBatch: [{ a: 1 }, { b: ['x', { c: /r/g }] }, {}],
      id: Long.fromString('7000000000001'),
      ns: 'shop.a',
      cursor: { id: Long.fromNumber(1) },
    },
    n: 3,
    long: 'x'.repeat(600),
    nothing: null,
    errmsg: 'words',
    ok: new Double(1),
  });
  const expected = {
    documents: 3,
    cursor: '7000000000001',
    namespace: 'shop.a',
    n: 3,
    errmsg: 'words',
    ok: 1,
  };

  it('are found wherever the reply is split', () => {
    for (let at = 0; at <= reply.length; at += 7) {
      const reader = new ReplyFieldsReader();
      reader.read(Buffer.from(reply.subarray(0, at)), 0);
      reader.read(Buffer.from(reply.subarray(at)), 0);
      assert.ok(reader.done);
      assert.deepEqual(reader.fields, expected);
    }
  });

  it('are not there before the reply is', () => {
    for (let length = 0; length < reply.length; length += 1) {
      const reader = new ReplyFieldsReader();
      attempt(() => reader.read(Buffer.from(reply.subarray(0, length)), 0));
      assert.ok(!reader.done);
    }
  });

  it('are refused or found however a length lies, and no more is read than is there', () => {
    for (let at = 0; at + 4 <= reply.length; at += 1)
      for (const lie of [-1, 0, 4, 5, 0x7fffffff]) {
        const liar = Buffer.from(reply);
        liar.writeInt32LE(lie, at);
        const reader = new ReplyFieldsReader();
        attempt(() => assert.ok(reader.read(liar, 0) <= liar.length));
      }
  });
});

describe('a command as text', () => {
  const show = (body: Document, limit = 4096): StatementText => {
    const data = Buffer.from(serialize(body));
    return new StatementText(limit).command(data, { start: 0, end: data.length });
  };

  it('reads as in a shell, without its envelope', () => {
    const { text } = show({ find: 'a', filter: { x: { $gt: 1.5 }, 'a-b': [true, null, /x/i] }, $db: 'shop', lsid: {} });
    assert.equal(text, '{find: "a", filter: {x: {$gt: 1.5}, "a-b": [true, null, /x/i]}}');
  });

  it('is cut where it is too long, and says so', () => {
    const shown = show({ find: 'a', filter: { x: 'y'.repeat(100_000) } }, 100);
    assert.equal(shown.text.length, 100);
    assert.ok(shown.truncated);
  });

  it('does not follow a nesting bomb to its end', () => {
    let bomb: Document = {};
    for (let depth = 0; depth < 5000; depth += 1) bomb = { a: bomb };
    assert.ok(show({ find: 'a', filter: bomb }, 65_536).truncated);
  });
});
