import assert from 'node:assert/strict';
import { maxAnswer, parsePreamble, routePreamble, routeRefused, ticketPreamble } from '../../src/tunnels/preamble.js';

const name = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(63)}`;

describe('parsePreamble', () => {
  it('reads what routePreamble wrote, up to names of 255 bytes, at every offset', () => {
    const bytes = routePreamble(name);
    assert.deepEqual(parsePreamble(Buffer.concat([bytes, Buffer.from('more')])), {
      kind: 'route',
      name,
      size: bytes.length,
    });
    for (let at = 0; at < bytes.length; at += 1)
      assert.deepEqual(parsePreamble(bytes.subarray(0, at)), { kind: 'more' });
  });

  it('reads what ticketPreamble wrote', () => {
    const ticket = '0123456789abcdef0123456789abcdef';
    const bytes = ticketPreamble(ticket);
    assert.deepEqual(parsePreamble(bytes), { kind: 'ticket', ticket, size: bytes.length });
  });

  it('makes names lower case and takes a trailing dot away', () => {
    const route = parsePreamble(Buffer.from('POSTERN/1 Box.Kind.Example.COM.\n'));
    assert.equal(route.kind === 'route' && route.name, 'box.kind.example.com');
  });

  const malformed = [
    ['another version', 'POSTERN/2 a.b\n', /version 2/],
    ['no name', 'POSTERN/1 \n', /names no route/],
    ['a name with a blank', 'POSTERN/1 a b\n', /names no route/],
    ['a CR before the end', 'POSTERN/1 a.b\r\n', /names no route/],
    ['a name of 256 bytes', `POSTERN/1 ${'a'.repeat(256)}\n`, /names no route/],
    ['a line that does not end', `POSTERN/1 ${'a'.repeat(400)}`, /does not end/],
    ['a ticket too short', 'POSTERN-TICKET 0123\n', /malformed/],
    ['a ticket in upper case', `POSTERN-TICKET ${'A'.repeat(32)}\n`, /malformed/],
    ['another word', 'POSTERNS\n', /malformed/],
  ] as const;
  for (const [what, text, reason] of malformed)
    it(`refuses ${what}`, () => {
      const preamble = parsePreamble(Buffer.from(text));
      assert.equal(preamble.kind, 'bad');
      assert.match(preamble.reason, reason);
    });

  it('leaves everything else alone', () => {
    for (const text of ['GET /', 'Q', 'POST / HTTP/1.1', 'PROXY TCP4'])
      assert.deepEqual(parsePreamble(Buffer.from(text)), { kind: 'none' });
  });
});

describe('routePreamble', () => {
  it('refuses a name that would end the line early', () => {
    for (const bad of ['', 'a\nPOSTERN/1 b', 'a b', 'ä.b', 'a'.repeat(256)])
      assert.throws(() => routePreamble(bad), { code: 'invalid_argument' });
  });
});

describe('routeRefused', () => {
  it('is one printable line of bounded length whatever it says', () => {
    const line = routeRefused(`bad\r\nok\n\x1b[31m${'ä'.repeat(9999)}${'x'.repeat(9999)}`);
    assert.match(line.toString('latin1'), /^error [\x20-\x7e]+\n$/);
    assert.ok(line.length <= maxAnswer);
  });
});
