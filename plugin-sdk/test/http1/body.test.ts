import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  BodyTracker,
  connectionOptions,
  forwardedFields,
  HeaderFields,
  HttpRefusal,
  readResponseHead,
  requestFraming,
  responseFraming,
  type BodyFraming,
  type HeaderField,
} from '../../src/http1/index.js';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const field = (name: string, value: string): HeaderField => ({ name, value });
const framing = (fields: readonly HeaderField[], version: '1.0' | '1.1' = '1.1'): BodyFraming =>
  requestFraming({ method: 'POST', target: '/', version, fields: new HeaderFields(fields) });
const response = (text: string, method = 'GET'): BodyFraming =>
  responseFraming(readResponseHead(bytes(`HTTP/1.1 ${text}\r\n\r\n`)), method);

describe('the framing of a request', () => {
  it('is what its head says', () => {
    assert.deepEqual(framing([]), { kind: 'none' });
    assert.deepEqual(framing([field('Content-Length', '0012')]), { kind: 'length', length: 12 });
    assert.deepEqual(framing([field('Transfer-Encoding', 'Chunked')]), { kind: 'chunked' });
  });

  const attacks: readonly (readonly [string, readonly HeaderField[]])[] = [
    ['CL.TE', [field('Content-Length', '4'), field('Transfer-Encoding', 'chunked')]],
    ['TE.CL', [field('Transfer-Encoding', 'chunked'), field('Content-Length', '4')]],
    ['CL_TE with an underscore', [field('Content_Length', '4'), field('Transfer-Encoding', 'chunked')]],
    ['a length spelled with an underscore', [field('Content_Length', '4')]],
    ['a coding spelled with an underscore', [field('TRANSFER_ENCODING', 'chunked')]],
    ['TE.TE', [field('Transfer-Encoding', 'chunked'), field('Transfer-Encoding', 'identity')]],
    ['CL.CL', [field('Content-Length', '4'), field('Content-Length', '5')]],
    ['CL.CL, the same', [field('Content-Length', '4'), field('Content-Length', '4')]],
    ['a list of lengths', [field('Content-Length', '4, 4')]],
    ['a length with a sign', [field('Content-Length', '+4')]],
    ['a negative length', [field('Content-Length', '-1')]],
    ['a length in hexadecimal', [field('Content-Length', '0x4')]],
    ['a length with a fraction', [field('Content-Length', '4.0')]],
    ['a length past what a number holds', [field('Content-Length', '9007199254740993')]],
    ['an empty length', [field('Content-Length', '')]],
    ['an unknown coding', [field('Transfer-Encoding', 'xchunked')]],
    ['a list of codings', [field('Transfer-Encoding', 'gzip, chunked')]],
    ['a coding with a parameter', [field('Transfer-Encoding', 'chunked;q=1')]],
    ['an empty coding', [field('Transfer-Encoding', '')]],
  ];
  for (const [name, fields] of attacks)
    it(`smuggling by ${name} is refused`, () => assert.throws(() => framing(fields), HttpRefusal));

  it('chunks in HTTP/1.0 are refused', () => {
    assert.throws(() => framing([field('Transfer-Encoding', 'chunked')], '1.0'), HttpRefusal);
  });
});

describe('the framing of a response', () => {
  it('depends on its status and on the method', () => {
    assert.deepEqual(response('200 OK\r\nContent-Length: 5'), { kind: 'length', length: 5 });
    assert.deepEqual(response('200 OK\r\nContent-Length: 5', 'HEAD'), { kind: 'none' });
    assert.deepEqual(response('204 No Content'), { kind: 'none' });
    assert.deepEqual(response('304 Not Modified\r\nContent-Length: 5'), { kind: 'none' });
    assert.deepEqual(response('100 Continue'), { kind: 'none' });
    assert.deepEqual(response('101 Switching Protocols'), { kind: 'switch' });
    assert.deepEqual(response('200 OK'), { kind: 'close' });
  });

  it('spelled with an underscore is refused, whatever the status', () => {
    for (const status of ['200 OK', '204 No Content', '304 Not Modified', '101 Switching Protocols'])
      for (const name of ['Content_Length: 5', 'transfer_encoding: chunked'])
        assert.throws(() => response(`${status}\r\n${name}`), HttpRefusal);
  });

  it('of two kinds is refused, whatever the method', () => {
    for (const method of ['GET', 'HEAD'])
      assert.throws(() => response('200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked', method), HttpRefusal);
  });
});

/** Follows a text that came in two pieces, and tells where the body ended. */
function follow(
  kind: BodyFraming,
  text: string,
  cut = text.length,
  trailers = false,
): { end: number; tracker: BodyTracker } {
  const tracker = new BodyTracker(kind, { trailers });
  const [one, two] = [bytes(text.slice(0, cut)), bytes(text.slice(cut))];
  const first = tracker.take(one);
  return { end: first < one.length ? first : cut + tracker.take(two), tracker };
}

const chunked: BodyFraming = { kind: 'chunked' };

describe('a body', () => {
  it('of a length ends behind so many bytes, wherever it is cut', () => {
    for (let cut = 0; cut <= 9; cut += 1) {
      const { end, tracker } = follow({ kind: 'length', length: 5 }, 'helloNEXT', cut);
      assert.deepEqual([end, tracker.done, tracker.bytes], [5, true, 5]);
    }
  });

  it('of no length is over at once', () => {
    for (const kind of [{ kind: 'none' }, { kind: 'length', length: 0 }] as const)
      assert.deepEqual([new BodyTracker(kind).done, new BodyTracker(kind).take(bytes('NEXT'))], [true, 0]);
  });

  it('in chunks ends behind the last one, wherever it is cut', () => {
    const text = '5\r\nhello\r\n0A;x=y\r\n0123456789\r\n0\r\n\r\n';
    for (let cut = 0; cut <= text.length + 4; cut += 1) {
      const { end, tracker } = follow(chunked, `${text}NEXT`, cut);
      assert.deepEqual([end, tracker.done, tracker.bytes], [text.length, true, 15], `cut at ${cut}`);
    }
  });

  it('that is truncated anywhere is not over', () => {
    const text = '5\r\nhello\r\n0\r\n\r\n';
    for (let length = 0; length < text.length; length += 1)
      assert.equal(follow(chunked, text.slice(0, length)).tracker.mayEnd, false);
  });

  it('up to the end of the connection has no other end', () => {
    const { end, tracker } = follow({ kind: 'close' }, 'anything');
    assert.deepEqual([end, tracker.done, tracker.mayEnd], [8, false, true]);
  });

  it('stops before the fields behind it where they are wanted apart, wherever it is cut', () => {
    const [body, behind] = ['1\r\na\r\n0\r\n', 'Checksum: x\r\n\r\n'];
    for (let cut = 0; cut <= body.length + behind.length; cut += 1) {
      const tracker: BodyTracker = new BodyTracker(chunked, { trailers: 'apart' });
      let fields = '';
      for (const piece of [`${body}${behind}`.slice(0, cut), `${body}${behind}NEXT`.slice(cut)])
        for (let at = 0; at < piece.length && !tracker.done;) {
          const trailing: boolean = tracker.trailing;
          const end: number = tracker.take(bytes(piece), at);
          fields += trailing ? piece.slice(at, end) : '';
          at = end;
        }
      assert.deepEqual([tracker.done, fields], [true, behind], `cut at ${cut}`);
    }
  });

  it('may have fields behind it where that is allowed', () => {
    const text = '1\r\na\r\n0\r\nChecksum: x\r\n\r\n';
    for (let cut = 0; cut <= text.length; cut += 1) assert.equal(follow(chunked, text, cut, true).end, text.length);
    assert.throws(() => follow(chunked, text), HttpRefusal);
  });

  it('of any chunks in any pieces has the bytes that were put in', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (contents, sizes) => {
          const parts = contents.map((part) =>
            Buffer.concat([bytes(`${part.length.toString(16)}\r\n`), part, bytes('\r\n')]),
          );
          const whole = Buffer.concat([...parts, bytes('0\r\n\r\n')]);
          const tracker = new BodyTracker(chunked);
          for (let at = 0, n = 0; at < whole.length; n += 1) {
            const size = sizes[n % sizes.length] ?? 1;
            const piece = whole.subarray(at, at + size);
            assert.equal(tracker.take(piece), piece.length);
            at += size;
          }
          assert.equal(tracker.done, true);
          assert.equal(
            tracker.bytes,
            contents.reduce((sum, { length }) => sum + length, 0),
          );
        },
      ),
    );
  });
});

describe('smuggling by chunks that two readers take apart differently', () => {
  const attacks: readonly (readonly [string, string])[] = [
    ['a bare LF behind the size', '5\nhello\r\n0\r\n\r\n'],
    ['a bare LF behind the data', '5\r\nhello\n0\r\n\r\n'],
    ['a bare CR behind the data', '5\r\nhello\rX0\r\n\r\n'],
    ['data longer than was announced', '5\r\nhelloX\r\n0\r\n\r\n'],
    ['a size with a prefix', '0x5\r\nhello\r\n0\r\n\r\n'],
    ['a size with a sign', '+5\r\nhello\r\n0\r\n\r\n'],
    ['a negative size', '-5\r\nhello\r\n0\r\n\r\n'],
    ['a size with a space before it', ' 5\r\nhello\r\n0\r\n\r\n'],
    ['a size with a space behind it', '5 \r\nhello\r\n0\r\n\r\n'],
    ['a size past what a number holds', `1${'0'.repeat(14)}\r\n`],
    ['an empty size', '\r\n'],
    ['a bare CR in an extension', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
    ['an extension without end', `5;${'a'.repeat(300)}`],
    ['a field behind the body', '0\r\nImpersonate-User: admin\r\n\r\n'],
    ['a folded field behind the body', '0\r\n x\r\n\r\n'],
  ];
  for (const [name, text] of attacks)
    it(`${name} is refused, wherever it is cut`, () => {
      for (let cut = 0; cut <= text.length; cut += 1) assert.throws(() => follow(chunked, text, cut), HttpRefusal);
    });

  it('fields without end behind the body are refused', () => {
    assert.throws(() => follow(chunked, `0\r\n${'a: b\r\n'.repeat(3000)}`, 3, true), HttpRefusal);
  });
});

describe('what concerns one connection', () => {
  it('is not passed on, except for the upgrade that is meant', () => {
    const fields = new HeaderFields([
      field('Connection', 'Upgrade'),
      field('Upgrade', 'websocket'),
      field('TE', 'trailers'),
      field('Proxy-Authorization', 'x'),
      field('Accept', 'y'),
    ]);
    const options = connectionOptions('1.1', fields);
    assert.deepEqual(options, { close: false, upgrade: 'websocket' });
    assert.equal(
      forwardedFields(fields, options).encode(),
      'Accept: y\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n',
    );
  });

  it('an Upgrade without its Connection is none', () => {
    assert.equal(connectionOptions('1.1', new HeaderFields([field('Upgrade', 'websocket')])).upgrade, undefined);
  });

  it('ends with HTTP/1.0 unless it is kept', () => {
    assert.equal(connectionOptions('1.0', new HeaderFields()).close, true);
    assert.equal(connectionOptions('1.0', new HeaderFields([field('Connection', 'Keep-Alive')])).close, false);
    assert.equal(connectionOptions('1.1', new HeaderFields([field('Connection', 'close')])).close, true);
  });

  it('cannot have the next reader drop a field that we added', () => {
    for (const value of ['Impersonate-User', 'close, Authorization', 'keep-alive,impersonate-group'])
      assert.throws(() => connectionOptions('1.1', new HeaderFields([field('Connection', value)])), HttpRefusal);
  });
});
