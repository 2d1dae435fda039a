import assert from 'node:assert/strict';
import { deflateRawSync, deflateSync, constants } from 'node:zlib';
import fc from 'fast-check';
import type { Channel } from '../src/channel.js';
import { spdyDictionary } from '../src/spdy-dictionary.js';
import { SpdyHeaders } from '../src/spdy-headers.js';
import { SpdyReader, SpdyStreams } from '../src/spdy-reader.js';
import { WebSocketReader } from '../src/websocket-reader.js';

const violation = { code: 'protocol_violation' };

class Sink {
  readonly text: Partial<Record<Channel, string>> = {};
  ends = 0;
  readonly take = (channel: Channel, data: Buffer, last: boolean): undefined => {
    this.text[channel] = (this.text[channel] ?? '') + data.toString('latin1');
    if (last) this.ends += 1;
    return undefined;
  };
}

function frame(first: number, payload: Buffer, mask?: Buffer): Buffer {
  const { length } = payload;
  const bit = mask ? 0x80 : 0;
  const long = Buffer.alloc(8);
  long.writeBigUInt64BE(BigInt(length));
  const size =
    length < 126
      ? Buffer.from([bit | length])
      : length < 65_536
        ? Buffer.concat([Buffer.from([bit | 126]), long.subarray(6)])
        : Buffer.concat([Buffer.from([bit | 127]), long]);
  const body = mask ? payload.map((byte, at) => byte ^ (mask[at & 3] ?? 0)) : payload;
  return Buffer.concat([Buffer.from([first]), size, mask ?? Buffer.alloc(0), body]);
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('WebSocket frames', () => {
  const mask = Buffer.from([1, 2, 3, 4]);
  const talk = Buffer.concat([
    frame(0x82, bytes('\x01hello'), mask),
    frame(0x89, bytes('ping'), mask),
    frame(0x02, bytes('\x02er'), mask),
    frame(0x8a, Buffer.alloc(0), mask),
    frame(0x80, bytes('rors'), mask),
    frame(0x82, Buffer.alloc(0), mask),
    frame(0x82, bytes('\x01'), mask),
    frame(0x82, bytes(`\x01${'x'.repeat(70_000)}`), mask),
    frame(0x82, bytes('\xff\x00'), mask),
    frame(0x88, bytes('\x03\xe8'), mask),
  ]);
  const expected = { stdout: `hello${'x'.repeat(70_000)}`, stderr: 'errors' };

  it('are followed wherever they are cut', () => {
    for (let cut = 0; cut < 80; cut += 1) {
      const sink = new Sink();
      const reader = new WebSocketReader(true, sink.take);
      void reader.take(talk.subarray(0, cut));
      void reader.take(talk.subarray(cut));
      assert.deepEqual([sink.text, reader.between], [expected, true], `cut at ${cut}`);
    }
  });

  it('are followed byte by byte', () => {
    const sink = new Sink();
    const reader = new WebSocketReader(true, sink.take);
    for (let at = 0; at < talk.length; at += 1) void reader.take(talk.subarray(at, at + 1));
    assert.deepEqual(sink.text, expected);
  });

  it('of any content and size have what was put in', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 6 }),
        fc.integer({ min: 1, max: 50 }),
        (contents, size) => {
          const sink = new Sink();
          const reader = new WebSocketReader(false, sink.take);
          const all = Buffer.concat(contents.map((content) => frame(0x82, Buffer.concat([Buffer.from([1]), content]))));
          for (let at = 0; at < all.length; at += size) void reader.take(all.subarray(at, at + size));
          assert.equal(sink.text.stdout ?? '', Buffer.concat(contents).toString('latin1'));
        },
      ),
    );
  });

  const attacks: readonly (readonly [string, Buffer])[] = [
    ['compressed', frame(0xc2, bytes('\x01x'), mask)],
    ['without a mask', frame(0x82, bytes('\x01x'))],
    ['of an unknown kind', frame(0x83, bytes('\x01x'), mask)],
    ['that continue nothing', frame(0x80, bytes('x'), mask)],
    [
      'that begin within another message',
      Buffer.concat([frame(0x02, bytes('\x01a'), mask), frame(0x82, bytes('\x01b'), mask)]),
    ],
    ['of control in parts', frame(0x09, bytes('x'), mask)],
    ['of control that are long', frame(0x89, bytes('x'.repeat(126)), mask)],
    [
      'longer than can be counted',
      Buffer.from([0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]),
    ],
  ];
  for (const [name, attack] of attacks)
    it(`${name} are refused`, () => {
      assert.throws(() => new WebSocketReader(true, new Sink().take).take(attack), violation);
    });
});

const pairs = (entries: Readonly<Record<string, string>>): Buffer => {
  const number = (value: number): Buffer => {
    const four = Buffer.alloc(4);
    four.writeUInt32BE(value);
    return four;
  };
  const list = Object.entries(entries);
  return Buffer.concat([
    number(list.length),
    ...list.flatMap((pair) => pair.flatMap((text) => [number(text.length), bytes(text)])),
  ]);
};

/** Packs one block after another as a client does who keeps its zlib stream open: stored, which needs no state. */
class Deflater {
  #begun = false;

  block(plain: Buffer): Buffer {
    const size = Buffer.alloc(5);
    size.writeUInt16LE(plain.length, 1);
    size.writeUInt16LE(~plain.length & 0xffff, 3);
    const head = this.#begun ? Buffer.alloc(0) : deflateSync('', { dictionary: spdyDictionary }).subarray(0, 6);
    this.#begun = true;
    return Buffer.concat([head, size, plain]);
  }
}

function control(type: number, body: Buffer): Buffer {
  const head = Buffer.from([0x80, 3, 0, type, 0, 0, 0, 0]);
  head.writeUIntBE(body.length, 5, 3);
  return Buffer.concat([head, body]);
}

function data(stream: number, text: string, final = false): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(stream);
  head.writeUInt8(final ? 1 : 0, 4);
  head.writeUIntBE(text.length, 5, 3);
  return Buffer.concat([head, bytes(text)]);
}

function synStream(id: number, block: Buffer): Buffer {
  const body = Buffer.alloc(10);
  body.writeUInt32BE(id);
  return control(1, Buffer.concat([body, block]));
}

function synReply(id: number): Buffer {
  const body = Buffer.alloc(20);
  body.writeUInt32BE(id);
  return control(2, body);
}

describe('SPDY frames', () => {
  const opening = (): Buffer => {
    const deflater = new Deflater();
    const syn = (id: number, streamtype: string): Buffer => synStream(id, deflater.block(pairs({ streamtype })));
    return Buffer.concat([
      syn(1, 'error'),
      syn(3, 'stdout'),
      control(6, Buffer.alloc(4)),
      syn(5, 'resize'),
      data(5, '{"Width":80,"Height":24}'),
    ]);
  };

  it('are followed wherever they are cut', () => {
    const talk = opening();
    const answers = Buffer.concat([synReply(3), data(3, 'out'), synReply(1), data(3, 'put', true), data(1, 'bye')]);
    for (let cut = 0; cut <= talk.length; cut += 1) {
      const sink = new Sink();
      const streams = new SpdyStreams();
      const client = new SpdyReader('client', streams, sink.take);
      void client.take(talk.subarray(0, cut));
      void client.take(talk.subarray(cut));
      const server = new SpdyReader('server', streams, sink.take);
      for (let at = 0; at < answers.length; at += 1) void server.take(answers.subarray(at, at + 1));
      assert.deepEqual(
        sink.text,
        { resize: '{"Width":80,"Height":24}', stdout: 'output', error: 'bye' },
        `cut at ${cut}`,
      );
      assert.deepEqual([client.between, server.between, streams.errors], [true, true, 1]);
    }
  });

  const fail = (...frames: readonly Buffer[]): void =>
    assert.throws(() => {
      const reader = new SpdyReader('client', new SpdyStreams(), new Sink().take);
      for (const one of frames) void reader.take(one);
    }, violation);

  it('of a stream that nobody has opened are refused', () => fail(opening(), data(9, 'x')));
  it('of another version are refused', () => fail(Buffer.from([0x80, 2, 0, 1, 0, 0, 0, 0])));
  it('of control that are long are refused', () => fail(Buffer.from([0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff])));
  it('that open a stream without a type are refused', () =>
    fail(synStream(1, new Deflater().block(pairs({ x: 'y' })))));
  it('that open a stream twice are refused', () => fail(opening(), opening()));
  it('that open streams without end are refused', () => {
    const deflater = new Deflater();
    fail(
      ...Array.from({ length: 40 }, (_, at) => synStream(2 * at + 1, deflater.block(pairs({ streamtype: 'stdin' })))),
    );
  });
  it('whose headers are not compressed are refused', () => fail(synStream(1, pairs({ streamtype: 'stdin' }))));
  it('that are too short to name a stream are refused', () => fail(control(1, Buffer.alloc(3))));

  describe('of a server', () => {
    const heard = (...frames: readonly Buffer[]): SpdyStreams => {
      const streams = new SpdyStreams();
      void new SpdyReader('client', streams, new Sink().take).take(opening());
      void new SpdyReader('server', streams, new Sink().take).take(Buffer.concat(frames));
      return streams;
    };

    it('leave room for a word of ours only on a stream that it has accepted and not ended', () => {
      assert.equal(heard().errors, undefined);
      assert.equal(heard(synReply(3)).errors, undefined);
      assert.equal(heard(synReply(1)).errors, 1);
      assert.equal(heard(synReply(1), data(1, 'bye', true)).errors, undefined);
    });

    const lies: readonly (readonly [string, readonly Buffer[]])[] = [
      ['that accept what nobody has opened', [synReply(7)]],
      ['that accept a stream twice', [synReply(1), synReply(1)]],
      ['that accept no stream', [control(2, Buffer.alloc(3))]],
      ['of data on a stream that it has not accepted', [data(3, 'out')]],
      ['that open a stream', [synStream(2, new Deflater().block(pairs({ streamtype: 'stdin' })))]],
    ];
    for (const [name, frames] of lies)
      it(`${name} are refused`, () => {
        assert.throws(() => heard(...frames), violation);
      });
  });
});

describe('SPDY header blocks', () => {
  const headers = (plain: Buffer) => new SpdyHeaders().next(new Deflater().block(plain));

  it('that are truncated anywhere are refused', () => {
    const whole = pairs({ streamtype: 'stdin', port: '80' });
    for (let length = 0; length < whole.length; length += 1)
      assert.throws(() => headers(whole.subarray(0, length)), violation);
    assert.equal(headers(whole).get('port'), '80');
  });

  it('whose lengths lie are refused', () => {
    for (const lie of [
      [0xff, 0xff, 0xff, 0xff],
      [0, 0, 0, 9],
    ]) {
      const block = pairs({ a: 'b' });
      Buffer.from(lie).copy(block, 4);
      assert.throws(() => headers(block), violation);
    }
    assert.throws(() => headers(Buffer.concat([pairs({ a: 'b' }), bytes('more')])), violation);
  });

  it('that unpack to more than a connection needs are refused', () => {
    const bomb = deflateSync(Buffer.alloc(10_000_000), {
      dictionary: spdyDictionary,
      finishFlush: constants.Z_SYNC_FLUSH,
    });
    assert.ok(bomb.length < 16_384);
    assert.throws(() => new SpdyHeaders().next(bomb), violation);
  });

  it('of another dictionary are refused', () => {
    const other = deflateSync(pairs({ a: 'b' }), {
      dictionary: bytes('something'),
      finishFlush: constants.Z_SYNC_FLUSH,
    });
    assert.throws(() => new SpdyHeaders().next(other), violation);
    assert.throws(() => new SpdyHeaders().next(deflateRawSync(pairs({ a: 'b' }))), violation);
  });
});
