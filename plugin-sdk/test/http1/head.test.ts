import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  encodeRequestHead,
  encodeResponseHead,
  HeadCollector,
  HeaderFields,
  HttpRefusal,
  readRequestHead,
  readResponseHead,
} from '../../src/http1/index.js';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const get = (lines: string, start = 'GET / HTTP/1.1'): Buffer => bytes(`${start}\r\nHost: a\r\n${lines}\r\n`);

const refused = (head: Buffer, status: number): void =>
  assert.throws(
    () => {
      const found = new HeadCollector(4096).take(head);
      if (!found) throw new Error('no head was found');
      readRequestHead(found.head);
    },
    (cause) => cause instanceof HttpRefusal && cause.status === status,
    JSON.stringify(head.toString('latin1').slice(0, 60)),
  );

describe('a request head', () => {
  it('is read as it was sent', () => {
    const head = readRequestHead(get('X-One:  a b\t\r\nX-Two:\r\nX-High: \xe9\r\n', 'PATCH /a%2Fb?c=%20;d HTTP/1.1'));
    assert.deepEqual([head.method, head.target, head.version], ['PATCH', '/a%2Fb?c=%20;d', '1.1']);
    assert.deepEqual(
      [...head.fields].map(({ name, value }) => `${name}=${value}`),
      ['Host=a', 'X-One=a b', 'X-Two=', 'X-High=\xe9'],
    );
  });

  it('is found at every place where it may be cut in two, and in single bytes', () => {
    const whole = Buffer.concat([get('A: 1\r\nB: 2\r\n'), bytes('BODY')]);
    const size = whole.length - 4;
    for (let cut = 1; cut < size; cut += 1) {
      const collector = new HeadCollector();
      assert.equal(collector.take(whole.subarray(0, cut)), undefined);
      assert.equal(collector.length, cut);
      const found = collector.take(whole.subarray(cut));
      assert.equal(found?.end, size - cut);
      assert.deepEqual(found.head, whole.subarray(0, size));
      assert.equal(collector.empty, true);
    }
    const collector = new HeadCollector();
    for (let at = 0; at < size - 1; at += 1) assert.equal(collector.take(whole.subarray(at, at + 1)), undefined);
    assert.deepEqual(collector.take(whole.subarray(size - 1))?.head, whole.subarray(0, size));
  });

  it('truncated at any byte is no head', () => {
    const whole = get('A: 1\r\n');
    for (let length = 0; length < whole.length; length += 1) {
      assert.equal(new HeadCollector().take(whole.subarray(0, length)), undefined);
      if (length > 0) assert.throws(() => readRequestHead(whole.subarray(0, length)), HttpRefusal);
    }
  });

  it('begins where the one before it ended', () => {
    const one = get('N: 1\r\n');
    const two = get('N: 2\r\n');
    const both = Buffer.concat([one, two]);
    const collector = new HeadCollector();
    assert.equal(collector.take(both)?.end, one.length);
    assert.deepEqual(collector.take(both, one.length)?.head, two);
  });

  it('survives being written and read again', () => {
    const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,20}$/).filter((text) => text.toLowerCase() !== 'host');
    const value = fc.stringMatching(/^(?:[!-~](?:[ -~]{0,30}[!-~])?)?$/);
    fc.assert(
      fc.property(fc.array(fc.record({ name, value }, { noNullPrototype: true }), { maxLength: 20 }), (list) => {
        const fields = new HeaderFields([{ name: 'Host', value: 'h:1' }, ...list]);
        const read = readRequestHead(encodeRequestHead({ method: 'GET', target: '/x', version: '1.1', fields }));
        assert.deepEqual([...read.fields], [...fields]);
      }),
    );
  });
});

describe('request smuggling by a head that two readers read differently', () => {
  const attacks: readonly (readonly [string, Buffer, number])[] = [
    ['a bare LF', bytes('GET / HTTP/1.1\nHost: a\n\n'), 400],
    ['a bare LF behind a field', bytes('GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n'), 400],
    ['a bare CR within a value', get('X: a\rY: b\r\n'), 400],
    ['two CR before a LF', bytes('GET / HTTP/1.1\r\nHost: a\r\r\n\r\n'), 400],
    ['an empty line before the request', bytes('\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'), 400],
    ['a folded line', get('X: a\r\n b\r\n'), 400],
    ['a line folded with a tab', get('X: a\r\n\tb\r\n'), 400],
    ['white space before the first field', bytes('GET / HTTP/1.1\r\n Host: a\r\n\r\n'), 400],
    ['a space before the colon', get('Content-Length : 5\r\n'), 400],
    ['a field without a colon', get('Content-Length 5\r\n'), 400],
    ['a field without a name', get(': x\r\n'), 400],
    ['a NUL in a value', get('X: a\0b\r\n'), 400],
    ['a NUL in a name', get('X\0: a\r\n'), 400],
    ['a vertical tab that is trimmed by some', get('Transfer-Encoding: \x0bchunked\r\n'), 400],
    ['two Hosts', get('Host: b\r\n'), 400],
    ['two Hosts, the same', get('Host: a\r\n'), 400],
    ['no Host', bytes('GET / HTTP/1.1\r\nX: y\r\n\r\n'), 400],
    ['a Host with a path', bytes('GET / HTTP/1.1\r\nHost: a/b\r\n\r\n'), 400],
    ['a Host with a user', bytes('GET / HTTP/1.1\r\nHost: a@b\r\n\r\n'), 400],
    ['a list of Hosts', bytes('GET / HTTP/1.1\r\nHost: a, b\r\n\r\n'), 400],
    ['a target with an authority', bytes('GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n'), 400],
    ['CONNECT', bytes('CONNECT b:443 HTTP/1.1\r\nHost: a\r\n\r\n'), 400],
    ['a target with a fragment', bytes('GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n'), 400],
    ['a target with a space', bytes('GET /a b HTTP/1.1\r\nHost: a\r\n\r\n'), 400],
    ['a target with a byte above 127', bytes('GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n'), 400],
    ['* of another method', bytes('GET * HTTP/1.1\r\nHost: a\r\n\r\n'), 400],
    ['two spaces in the request line', bytes('GET  / HTTP/1.1\r\nHost: a\r\n\r\n'), 400],
    ['a tab in the request line', bytes('GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n'), 400],
    ['HTTP/0.9', bytes('GET /\r\nHost: a\r\n\r\n'), 400],
    ['HTTP/1.2', bytes('GET / HTTP/1.2\r\nHost: a\r\n\r\n'), 505],
    ['HTTP/2.0', bytes('PRI * HTTP/2.0\r\n\r\n'), 505],
    ['a version in lower case', bytes('GET / http/1.1\r\nHost: a\r\n\r\n'), 400],
    ['HTTP/1.10', bytes('GET / HTTP/1.10\r\nHost: a\r\n\r\n'), 400],
    ['a method that is none', bytes('G(T / HTTP/1.1\r\nHost: a\r\n\r\n'), 400],
    ['a method without end', bytes(`${'A'.repeat(33)} / HTTP/1.1\r\nHost: a\r\n\r\n`), 400],
    ['a head without end', bytes(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(5000)}`), 431],
    ['a line without end', bytes('A'.repeat(5000)), 431],
    ['fields without end', get('a: b\r\n'.repeat(400)), 431],
  ];
  for (const [name, head, status] of attacks) it(`${name} is refused with ${status}`, () => refused(head, status));

  it('a bare LF is refused whereever the chunks are cut', () => {
    const head = bytes('GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n');
    for (let cut = 1; cut < 24; cut += 1)
      assert.throws(() => {
        const collector = new HeadCollector();
        collector.take(head.subarray(0, cut));
        collector.take(head.subarray(cut));
      }, HttpRefusal);
  });

  it('a head that comes in single bytes is refused at the same length', () => {
    const collector = new HeadCollector(100);
    for (let at = 0; at < 99; at += 1) collector.take(bytes('x'));
    assert.throws(() => collector.take(bytes('xx')), { status: 431 });
  });
});

describe('header fields', () => {
  const fields = new HeaderFields([
    { name: 'Impersonate_User', value: 'a' },
    { name: 'impersonate-USER', value: 'b' },
    { name: 'Accept', value: 'x' },
  ]);

  it('are found in any spelling, so that none slips past a rule', () => {
    assert.deepEqual(fields.all('Impersonate-User'), ['a', 'b']);
    assert.equal(fields.without((name) => name.startsWith('impersonate-')).size, 1);
  });

  it('are added only where they are sound', () => {
    assert.throws(() => fields.with({ name: 'X', value: 'a\r\nY: b' }), TypeError);
    assert.throws(() => fields.with({ name: 'X: y\r\nZ', value: '' }), TypeError);
    assert.equal(fields.with({ name: 'X', value: 'é' }).get('x'), 'é');
  });

  it('give the tokens of lists over several lines', () => {
    const lists = new HeaderFields([
      { name: 'Connection', value: 'Upgrade, ,close' },
      { name: 'connection', value: ' TE ' },
    ]);
    assert.deepEqual(lists.tokens('connection'), ['upgrade', 'close', 'te']);
  });
});

describe('a response head', () => {
  it('is read, with or without a reason', () => {
    for (const line of ['HTTP/1.1 200 OK', 'HTTP/1.0 200 ', 'HTTP/1.1 200']) {
      const head = readResponseHead(bytes(`${line}\r\nA: b\r\n\r\n`));
      assert.deepEqual([head.status, head.fields.get('a')], [200, 'b']);
    }
  });

  it('is written as it was read', () => {
    const text = 'HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n';
    assert.equal(encodeResponseHead(readResponseHead(bytes(text))).toString('latin1'), text);
  });

  for (const line of [
    'HTTP/1.1 20 OK',
    'HTTP/1.1 2000',
    'HTTP/2 200',
    'HTTP/1.1  200 OK',
    'HTTP/1.1 099 x',
    'ICY 200 OK',
  ])
    it(`\`${line}\` is none`, () => assert.throws(() => readResponseHead(bytes(`${line}\r\n\r\n`)), HttpRefusal));
});
