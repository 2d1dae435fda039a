import assert from 'node:assert/strict';
import fc from 'fast-check';
import { capability } from '../src/capabilities.js';
import { parseChangeUser } from '../src/change-user.js';
import { encodeGreeting, encodeResponse, parseGreeting, parseResponse } from '../src/handshake.js';
import { greetingFor, LearnedGreetings, usualGreeting } from '../src/learned-greetings.js';
import { PacketWalker } from '../src/packet-walker.js';
import { ResponseReader, type Result } from '../src/response-reader.js';
import { encodePacket, errorPayload, lengthEncoded, parseError, PayloadReader } from '../src/wire.js';

const bytes = (...values: number[]): Buffer => Buffer.from(values);

/** Every payload in `chunks`, as far as it is kept. */
function payloadsIn(chunks: readonly Buffer[], keepBytes = 100): { head: string; length: number; sequence: number }[] {
  const walker = new PacketWalker(keepBytes);
  const found: { head: string; length: number; sequence: number }[] = [];
  for (const chunk of chunks)
    for (let at = 0; ;) {
      const seen = walker.next(chunk, at);
      if (!seen) break;
      at = seen.at;
      found.push({ head: seen.head.toString('latin1'), length: seen.length, sequence: seen.sequence });
    }
  return found;
}

describe('a walker of packets', () => {
  const data = Buffer.concat(['one', '', 'three'].map((text, index) => encodePacket(index, Buffer.from(text))));
  const expected = [
    { head: 'one', length: 3, sequence: 0 },
    { head: '', length: 0, sequence: 1 },
    { head: 'three', length: 5, sequence: 2 },
  ];

  it('sees every payload, wherever the chunks end', () => {
    for (let at = 0; at <= data.length; at++)
      assert.deepEqual(payloadsIn([data.subarray(0, at), data.subarray(at)]), expected, `split at ${at}`);
    assert.deepEqual(payloadsIn([...data].map((byte) => bytes(byte))), expected);
  });

  it('sees no payload that has not ended, whatever was cut off', () => {
    for (let at = 0; at < data.length; at++) assert.ok(payloadsIn([data.subarray(0, at)]).length < 3);
  });

  it('sees a payload of 32 MB as one, and keeps its beginning', () => {
    const full = Buffer.alloc(0xff_ffff, 'a');
    const parts = [
      encodePacket(0, full),
      encodePacket(1, full),
      encodePacket(2, Buffer.alloc(0)),
      encodePacket(0, bytes(14)),
    ];
    const found = payloadsIn(parts, 10);
    assert.deepEqual(found, [
      { head: 'aaaaaaaaaa', length: 2 * 0xff_ffff, sequence: 0 },
      { head: '\x0e', length: 1, sequence: 0 },
    ]);
  });
});

describe('a greeting', () => {
  const greeting = greetingFor({ ...usualGreeting, version: '8.0.36', method: 'caching_sha2_password' }, 77);

  it('is read as it was written', () => assert.deepEqual(parseGreeting(encodeGreeting(greeting)), greeting));

  it('of MariaDB has flags of its own', () => {
    const capabilities = usualGreeting.capabilities & ~capability.longPassword;
    const own = { ...greeting, capabilities, mariadb: 12 };
    assert.equal(parseGreeting(encodeGreeting(own)).mariadb, 12);
  });

  it('cut off anywhere is malformed, and never a crash', () => {
    const whole = encodeGreeting(greeting);
    for (let at = 0; at < 40; at++)
      try {
        parseGreeting(whole.subarray(0, at));
      } catch (cause) {
        assert.match(String(cause), /malformed packet/);
      }
  });

  it('offers nothing of a server that hides what is said', () => {
    const learned = new LearnedGreetings();
    learned.learn('db', { ...greeting, capabilities: 0xffff_ffff, mariadb: 0xffff_ffff });
    const offer = learned.offer('db', false);
    for (const flag of ['compress', 'zstd', 'queryAttributes', 'optionalMetadata', 'ssl', 'localFiles'] as const)
      assert.equal(offer.capabilities & capability[flag], 0, flag);
    assert.equal(offer.mariadb, 12);
  });
});

describe('a response to it', () => {
  const response = {
    capabilities: usualGreeting.capabilities,
    mariadb: 4,
    maxPacket: 1 << 24,
    charset: 45,
    user: 'jörg',
    proof: bytes(1, 2, 3),
    database: 'bench',
    method: 'mysql_native_password',
    attributes: Buffer.concat([lengthEncoded(4), bytes(1, 97, 1, 98)]),
  };

  it('is read as it was written', () => assert.deepEqual(parseResponse(encodeResponse(response)), response));

  it('cut off anywhere is malformed or names less, and never a crash', () => {
    const whole = encodeResponse(response);
    for (let at = 0; at < whole.length; at++)
      try {
        assert.ok(parseResponse(whole.subarray(0, at)).user.length > 0);
      } catch (cause) {
        assert.match(String(cause), /malformed packet/);
      }
  });

  it('of chance bytes is malformed or read, and never a crash', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (data) => {
        for (const parse of [parseResponse, parseGreeting, (payload: Buffer) => parseChangeUser(payload, 0xffff_ffff)])
          try {
            parse(Buffer.from(data));
          } catch (cause) {
            assert.match(String(cause), /malformed packet/);
          }
      }),
    );
  });
});

describe('a length', () => {
  for (const value of [0, 250, 251, 65_535, 65_536, 0xff_ffff, 0x100_0000, Number.MAX_SAFE_INTEGER])
    it(`of ${value} is read as it was written`, () => {
      assert.equal(new PayloadReader(lengthEncoded(value)).length(), value);
    });

  it('beyond what can be counted is malformed', () => {
    assert.throws(() => new PayloadReader(bytes(0xfe, ...Array.from({ length: 8 }, () => 255))).length(), /malformed/);
  });
});

describe('a reader of answers', () => {
  const eof = (status = 2): Buffer => bytes(0xfe, 0, 0, status & 255, status >> 8);
  const ok = (rows = 0, status = 2): Buffer => bytes(0, rows, 0, status & 255, status >> 8, 0, 0);
  const row = (text: string): Buffer => Buffer.concat([bytes(text.length), Buffer.from(text)]);
  const error = errorPayload({ number: 1146, state: '42S02', message: 'no such table' });

  function read(kind: 'results' | 'prepare' | 'rows' | 'simple', payloads: readonly Buffer[], capabilities = 0) {
    const results: Result[] = [];
    const files: string[] = [];
    const reader = new ResponseReader(capabilities, { result: (one) => results.push(one), done: () => {}, fileWanted: (name) => files.push(name) }); // prettier-ignore
    reader.expect(kind);
    for (const payload of payloads) reader.payload(payload, payload.length);
    return { results, files, idle: reader.idle };
  }

  it('counts rows, and knows where the last result ends', () => {
    const set = [bytes(1), Buffer.from('column'), eof(), row('a'), row('b'), eof(2 | 8), ok(3)];
    for (let count = 1; count < set.length; count++) assert.equal(read('results', set.slice(0, count)).idle, false);
    const { results, idle } = read('results', set);
    assert.deepEqual(results, [{ outcome: 'completed', rows: 2 }, { outcome: 'completed', affectedRows: 3 }]); // prettier-ignore
    assert.equal(idle, true);
  });

  it('knows results without packets between definitions and rows', () => {
    const end = bytes(0xfe, 0, 0, 2, 0, 0, 0);
    const { results, idle } = read(
      'results',
      [bytes(1), Buffer.from('column'), row('a'), end],
      capability.deprecateEof,
    );
    assert.deepEqual([results, idle], [[{ outcome: 'completed', rows: 1 }], true]);
  });

  it('ends with an error, at once or among rows', () => {
    assert.deepEqual(read('results', [error]).results[0]?.error, {
      number: 1146,
      state: '42S02',
      message: 'no such table',
    });
    const { results, idle } = read('results', [bytes(1), Buffer.from('column'), eof(), row('a'), error]);
    assert.deepEqual([results[0]?.outcome, idle], ['failed', true]);
  });

  it('expects no rows of a cursor', () => {
    assert.equal(read('results', [bytes(1), Buffer.from('column'), eof(0x42)]).idle, true);
  });

  it('waits for the definitions of a prepared statement', () => {
    const prepared = [bytes(0, 1, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0), row('p'), row('p'), eof(), row('c'), eof()];
    for (let count = 1; count < prepared.length; count++)
      assert.equal(read('prepare', prepared.slice(0, count)).idle, false);
    assert.equal(read('prepare', prepared).idle, true);
    assert.equal(read('prepare', [bytes(0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)]).idle, true);
  });

  it('says which file the server wants', () => assert.deepEqual(read('results', [bytes(0xfb, 97, 98)]).files, ['ab']));

  it('never crashes on a server that lies', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 12 }), (payloads) => {
        try {
          read(
            'results',
            payloads.map((payload) => Buffer.from(payload)),
          );
        } catch (cause) {
          assert.match(String(cause), /malformed packet/);
        }
      }),
    );
  });
});

describe('an error packet', () => {
  it('is read with its state, and without', () => {
    assert.deepEqual(parseError(bytes(0xff, 0x15, 4, ...Buffer.from('#28000no'))), {
      number: 1045,
      state: '28000',
      message: 'no',
    });
    assert.deepEqual(parseError(bytes(0xff, 0x10, 4, ...Buffer.from('Too many'))), {
      number: 1040,
      state: 'HY000',
      message: 'Too many',
    });
    assert.deepEqual(parseError(bytes(0xff)), { number: 0, state: 'HY000', message: '' });
  });
});
