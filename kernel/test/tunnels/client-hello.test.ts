import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ClientHelloReader, type ClientHello } from '../../src/tunnels/index.js';
import {
  alpnExtension,
  extensions,
  handshake,
  helloBody,
  helloMessage,
  records,
  sniExtension,
  u16,
  vector,
} from './hello-bytes.js';

const read = (head: Buffer): ClientHello => new ClientHelloReader().read(head);

const full = process.env['POSTERN_TEST_FULL'] === '1';
const message = helloMessage({
  sni: 'db.kind.example.com',
  alpn: ['h2', 'http/1.1'],
  versions: [0x0a0a, 0x0304, 0x0303],
});
const want: ClientHello = {
  kind: 'hello',
  sni: 'db.kind.example.com',
  alpn: ['h2', 'http/1.1'],
  versions: [0x0304, 0x0303],
};

describe('ClientHelloReader', () => {
  it('reads name, protocols and versions, without GREASE', () => {
    assert.deepEqual(read(records(message)), want);
  });

  it('says more at every offset before the end, whatever the sizes of the records', () => {
    for (const size of [1, 2, 3, 5, 64, 16_384]) {
      const bytes = records(message, size);
      const reader = new ClientHelloReader();
      for (let length = 0; length < bytes.length; length += 1) {
        const head = bytes.subarray(0, length);
        assert.deepEqual(reader.read(head), { kind: 'more' }, `byte by byte, records of ${size}, at ${length}`);
        if (length % 7 === 0)
          assert.deepEqual(read(head), { kind: 'more' }, `at once, records of ${size}, at ${length}`);
      }
      assert.deepEqual(reader.read(bytes), want);
    }
  });

  it('reads the same in two pieces cut at any offset, with other bytes behind it', () => {
    const bytes = records(message, 40);
    const followed = Buffer.concat([bytes, Buffer.from('whatever follows')]);
    for (let at = 0; at < bytes.length; at += 1) {
      const reader = new ClientHelloReader();
      assert.deepEqual(reader.read(bytes.subarray(0, at)), { kind: 'more' });
      assert.deepEqual(reader.read(followed), want);
    }
  });

  it('reads a hello without extensions as one of its legacy version', () => {
    const bare = records(handshake(helloBody(Buffer.alloc(0))));
    assert.deepEqual(read(bare), { kind: 'hello', alpn: [], versions: [0x0303] });
  });

  it('makes names lower case and takes a trailing dot away', () => {
    const hello = read(records(helloMessage({ sni: 'DB.Kind.Example.COM.' })));
    assert.equal(hello.kind === 'hello' && hello.sni, 'db.kind.example.com');
  });

  it('reads a hello of 60 kB', () => {
    const large = helloMessage({ sni: 'a.b.c', extra: [[0xff01, Buffer.alloc(60_000)]] });
    const hello = read(records(large));
    assert.equal(hello.kind === 'hello' && hello.sni, 'a.b.c');
  });

  it('returns what any hello was built from', () => {
    const name = fc.stringMatching(/^[a-z0-9-]{1,40}(\.[a-z0-9-]{1,40}){0,4}$/);
    const parts = fc.record(
      {
        sni: name,
        alpn: fc.array(fc.stringMatching(/^[ -~]{1,60}$/), { minLength: 1, maxLength: 8 }),
        versions: fc.array(fc.constantFrom(0x0301, 0x0302, 0x0303, 0x0304), { minLength: 1, maxLength: 5 }),
      },
      { requiredKeys: [] },
    );
    const property = fc.property(parts, fc.integer({ min: 1, max: 400 }), ({ sni, alpn, versions }, size) => {
      const built = helloMessage({
        ...(sni !== undefined && { sni }),
        ...(alpn && { alpn }),
        ...(versions && { versions }),
      });
      assert.deepEqual(read(records(built, size)), {
        kind: 'hello',
        ...(sni !== undefined && { sni }),
        alpn: alpn ?? [],
        versions: versions ?? [0x0303],
      });
    });
    fc.assert(property, { numRuns: full ? 20_000 : 300 });
  });

  it('answers any bytes, and the same however they arrive', () => {
    const flipped = fc
      .tuple(
        fc.integer({ min: 1, max: 200 }),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
      )
      .map(([size, changes]) => {
        const bytes = Buffer.from(records(message, size));
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        return bytes;
      });
    const noise = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    const property = fc.property(fc.oneof(flipped, noise), (bytes) => {
      const reader = new ClientHelloReader();
      let last: ClientHello = { kind: 'more' };
      for (let length = 0; length <= bytes.length && last.kind === 'more'; length += 1)
        last = reader.read(bytes.subarray(0, length));
      assert.equal(read(bytes).kind, last.kind);
    });
    fc.assert(property, { numRuns: full ? 20_000 : 300 });
  });

  describe('refuses', () => {
    const extended = (list: readonly (readonly [number, Buffer])[]): Buffer =>
      records(handshake(helloBody(extensions(list))));
    const bad: readonly { name: string; bytes: Buffer; reason: RegExp }[] = [
      { name: 'an empty record', bytes: Buffer.from([22, 3, 1, 0, 0]), reason: /empty/ },
      { name: 'a record of more than 16 kB', bytes: Buffer.from([22, 3, 1, 0x40, 1]), reason: /record of 16385/ },
      {
        name: 'another handshake message',
        bytes: records(handshake(Buffer.alloc(40), 2)),
        reason: /not a ClientHello/,
      },
      { name: 'a hello of 16 MB', bytes: records(Buffer.from([1, 255, 255, 255, 0])), reason: /16777219 bytes/ },
      {
        name: 'an alert inside',
        bytes: Buffer.concat([records(message.subarray(0, 20)), Buffer.from([21])]),
        reason: /cut/,
      },
      { name: 'a message that is too short', bytes: records(handshake(Buffer.alloc(10))), reason: /past the end/ },
      {
        name: 'bytes behind the extensions',
        bytes: records(handshake(helloBody(Buffer.from([0, 0, 9])))),
        reason: /follow/,
      },
      {
        name: 'an extension past the end',
        bytes: records(handshake(helloBody(vector(2, u16(0), u16(9))))),
        reason: /past/,
      },
      {
        name: 'one extension twice',
        bytes: extended([
          [0, sniExtension('a.b')],
          [0, sniExtension('c.d')],
        ]),
        reason: /twice/,
      },
      {
        name: 'two server names',
        bytes: extended([[0, vector(2, sniExtension('a').subarray(2), sniExtension('b').subarray(2))]]),
        reason: /follow/,
      },
      { name: 'an empty list of server names', bytes: extended([[0, vector(2)]]), reason: /past/ },
      { name: 'an empty server name', bytes: extended([[0, sniExtension('')]]), reason: /server name is malformed/ },
      {
        name: 'a server name with a NUL',
        bytes: extended([[0, sniExtension('a\0.b')]]),
        reason: /server name is malformed/,
      },
      {
        name: 'a server name with a line end',
        bytes: extended([[0, sniExtension('a\n.b')]]),
        reason: /server name is malformed/,
      },
      {
        name: 'a server name of 300 bytes',
        bytes: extended([[0, sniExtension('a'.repeat(300))]]),
        reason: /server name is malformed/,
      },
      { name: 'no application protocol', bytes: extended([[16, alpnExtension([])]]), reason: /protocols is empty/ },
      {
        name: 'an application protocol without a name',
        bytes: extended([[16, alpnExtension([''])]]),
        reason: /no name/,
      },
      { name: 'half a version', bytes: extended([[43, vector(1, Buffer.from([3]))]]), reason: /past the end/ },
    ];
    for (const { name, bytes, reason } of bad)
      it(name, () => {
        const hello = read(bytes);
        assert.equal(hello.kind, 'bad');
        assert.match(hello.reason, reason);
      });

    it('64 kB of records that hold a byte each, in linear time', () => {
      const flood = Buffer.alloc(70_000);
      for (let at = 0; at + 6 <= flood.length; at += 6) flood.set([22, 3, 1, 0, 1, at === 0 ? 1 : 0], at);
      // The length that these bytes announce is 0xf000: within the limit, and never reached.
      flood.set([0xf0], 6 * 2 + 5);
      const reader = new ClientHelloReader();
      const started = performance.now();
      let last: ClientHello = { kind: 'more' };
      for (let length = 0; length <= flood.length && last.kind === 'more'; length += 1)
        last = reader.read(flood.subarray(0, length));
      assert.deepEqual(last, { kind: 'bad', reason: 'the ClientHello is too long' });
      assert.ok(performance.now() - started < 2000, 'the reader goes over the same bytes again and again');
    });
  });

  it('is told apart from what is not TLS by its first two bytes', () => {
    assert.deepEqual(read(Buffer.from('GET / HTTP/1.1\r\n')), { kind: 'not-tls' });
    assert.deepEqual(read(Buffer.from([0])), { kind: 'not-tls' });
    assert.deepEqual(read(Buffer.from([22, 2])), { kind: 'not-tls' });
    assert.deepEqual(read(Buffer.from([22])), { kind: 'more' });
    assert.deepEqual(read(Buffer.alloc(0)), { kind: 'more' });
  });
});
