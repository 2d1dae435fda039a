import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseProxyHeader, type ProxyHeader } from '../../src/tunnels/proxy-protocol.js';

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

function binary(command: number, family: number, block: Buffer, length = block.length): Buffer {
  return Buffer.concat([signature, Buffer.from([0x20 | command, family, length >> 8, length & 255]), block]);
}

const v4 = Buffer.from([192, 0, 2, 7, 198, 51, 100, 1, 0x1f, 0x90, 1, 0xbb]);
const v6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000007', 'hex'),
  Buffer.alloc(16, 1),
  Buffer.alloc(4),
]);
const mapped = Buffer.concat([Buffer.from('00000000000000000000ffffc0000207', 'hex'), Buffer.alloc(20)]);

const known: readonly { name: string; bytes: Buffer; source?: string }[] = [
  { name: 'TCP4 as text', bytes: Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 5000 443\r\n'), source: '192.0.2.7' },
  {
    name: 'TCP6 as text',
    bytes: Buffer.from('PROXY TCP6 2001:db8::7 2001:db8::1 5000 443\r\n'),
    source: '2001:db8::7',
  },
  { name: 'UNKNOWN as text', bytes: Buffer.from('PROXY UNKNOWN\r\n') },
  { name: 'UNKNOWN with addresses', bytes: Buffer.from('PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n') },
  { name: 'TCP4 as binary', bytes: binary(1, 0x11, v4), source: '192.0.2.7' },
  {
    name: 'TCP4 with extensions',
    bytes: binary(1, 0x11, Buffer.concat([v4, Buffer.alloc(90, 4)])),
    source: '192.0.2.7',
  },
  { name: 'TCP6 as binary', bytes: binary(1, 0x21, v6), source: '2001:db8:0:0:0:0:0:7' },
  { name: 'an IPv4 address mapped into IPv6', bytes: binary(1, 0x21, mapped), source: '192.0.2.7' },
  { name: 'the balancer itself', bytes: binary(0, 0x11, v4) },
  { name: 'no family', bytes: binary(1, 0, Buffer.alloc(0)) },
];

const malformed: readonly { name: string; bytes: Buffer }[] = [
  { name: 'a line without an end', bytes: Buffer.from(`PROXY TCP4 ${'1'.repeat(200)}`) },
  { name: 'another family', bytes: Buffer.from('PROXY UDP4 192.0.2.7 198.51.100.1 5000 443\r\n') },
  { name: 'an address of the other family', bytes: Buffer.from('PROXY TCP4 2001:db8::7 198.51.100.1 5000 443\r\n') },
  { name: 'a name for an address', bytes: Buffer.from('PROXY TCP4 localhost 198.51.100.1 5000 443\r\n') },
  { name: 'a port of 70000', bytes: Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 70000 443\r\n') },
  { name: 'a port with a zero in front', bytes: Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 05000 443\r\n') },
  { name: 'a field too many', bytes: Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 5000 443 1\r\n') },
  { name: 'version 3', bytes: Buffer.concat([signature, Buffer.from([0x31, 0x11, 0, 12]), v4]) },
  { name: 'an unknown command', bytes: binary(2, 0x11, v4) },
  { name: 'datagrams', bytes: binary(1, 0x12, v4) },
  { name: 'a unix socket', bytes: binary(1, 0x31, Buffer.alloc(216)) },
  { name: 'a block too short for its family', bytes: binary(1, 0x11, v4.subarray(0, 8)) },
  { name: 'a block of 64 kB', bytes: binary(1, 0x11, v4, 65_535) },
];

describe('parseProxyHeader', () => {
  for (const { name, bytes, source } of known)
    it(`reads ${name}, and waits for its end at every offset`, () => {
      const want: ProxyHeader = { kind: 'header', size: bytes.length, ...(source !== undefined && { source }) };
      assert.deepEqual(parseProxyHeader(bytes), want);
      assert.deepEqual(parseProxyHeader(Buffer.concat([bytes, Buffer.from([22, 3, 1])])), want);
      for (let at = 0; at < bytes.length; at += 1)
        assert.deepEqual(parseProxyHeader(bytes.subarray(0, at)), { kind: 'more' });
    });

  for (const { name, bytes } of malformed)
    it(`refuses ${name}`, () => assert.equal(parseProxyHeader(bytes).kind, 'bad'));

  it('leaves everything else alone from the first byte that differs', () => {
    for (const text of ['GET / HTTP/1.1', 'POSTERN/1 a\n', '\r\n\r\n\x01', 'PROXZ'])
      assert.deepEqual(parseProxyHeader(Buffer.from(text, 'latin1')), { kind: 'none' });
    assert.deepEqual(parseProxyHeader(Buffer.from([22])), { kind: 'none' });
  });

  it('answers any bytes behind a signature without throwing', () => {
    const property = fc.property(fc.boolean(), fc.uint8Array({ maxLength: 120 }), (text, bytes) => {
      const header = parseProxyHeader(Buffer.concat([text ? Buffer.from('PROXY ') : signature, bytes]));
      assert.notEqual(header.kind, 'none');
    });
    fc.assert(property, { numRuns: 500 });
  });
});
