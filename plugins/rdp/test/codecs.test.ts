import assert from 'node:assert/strict';
import fc from 'fast-check';
import { BulkUnpacker } from '../src/bulk-unpacker.js';
import { Malformed } from '../src/bytes.js';
import { children, fieldsOf, integer, numberIn, readElement, sequence, tagged } from '../src/der.js';
import { fastPathPdu, FragmentJoiner, readUpdates } from '../src/fast-path.js';
import { channelData, mcs, readChannelData } from '../src/mcs.js';
import { md4 } from '../src/md4.js';
import { Mppc } from '../src/mppc.js';
import { passwordKey } from '../src/ntlm.js';
import { cleanPathFailure, cleanPathResponse, readCleanPath } from '../src/rd-clean-path.js';
import { Rc4 } from '../src/rc4.js';
import { pduLength, PduSplitter } from '../src/wire.js';
import {
  connectionConfirm,
  connectionFailure,
  connectionRequest,
  readConnectionConfirm,
  readConnectionRequest,
} from '../src/x224.js';

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex');

describe('MD4', () => {
  // RFC 1320, A.5.
  const vectors = [
    ['', '31d6cfe0d16ae931b73c59d7e0c089c0'],
    ['a', 'bde52cb31de33e46245e05fbdbd6fb24'],
    ['abc', 'a448017aaf21d8525fc10ae87aa6729d'],
    ['message digest', 'd9130a8164549fe818874806e1c7014b'],
    [
      '12345678901234567890123456789012345678901234567890123456789012345678901234567890',
      'e33b4ddc9c38f2199c3e7b164fcc0536',
    ],
  ] as const;
  for (const [text, want] of vectors)
    it(`hashes ${JSON.stringify(text)}`, () => assert.equal(md4(Buffer.from(text)).toString('hex'), want));
});

describe('RC4', () => {
  const vectors = [
    ['Key', 'Plaintext', 'bbf316e8d940af0ad3'],
    ['Wiki', 'pedia', '1021bf0420'],
    ['Secret', 'Attack at dawn', '45a01f645fc35b383552544b9bf5'],
  ] as const;
  for (const [key, text, want] of vectors)
    it(`encrypts with ${key}`, () => {
      assert.equal(new Rc4(Buffer.from(key)).update(Buffer.from(text)).toString('hex'), want);
    });
});

describe('NTOWFv2', () => {
  it('is that of MS-NLMP 4.2.4.1.1', () => {
    const key = passwordKey({ user: 'User', password: 'Password', domain: 'Domain' });
    assert.equal(key.toString('hex'), '0c868a403bfd7a93a3001ef22ef02e3f');
  });
});

describe('X.224', () => {
  it('reads the request of a stock client', () => {
    const request = hex('0300002b26e00000000000436f6f6b69653a206d737473686173683d616c6963650d0a0100080003000000');
    assert.deepEqual(readConnectionRequest(request), { user: 'alice', protocols: 3 });
  });

  it('reads a request without a cookie, and one without a negotiation', () => {
    assert.deepEqual(readConnectionRequest(hex('030000130ee000000000000100080001000000')), {
      user: undefined,
      protocols: 1,
    });
    assert.deepEqual(readConnectionRequest(hex('0300000b06e00000000000')), { user: undefined, protocols: 0 });
  });

  it('reads what it writes', () => {
    assert.deepEqual(readConnectionRequest(connectionRequest(3, 'bob\r\nX: y')), { user: 'bobX:y', protocols: 3 });
    assert.deepEqual(readConnectionConfirm(connectionConfirm(1)), { kind: 'selected', protocol: 1, flags: 1 });
    assert.deepEqual(readConnectionConfirm(connectionFailure(5)), { kind: 'failed', code: 5 });
    assert.equal(connectionConfirm(1).toString('hex'), '030000130ed000000000000201080001000000');
  });
});

describe('a splitter of PDUs', () => {
  const slow = channelData(mcs.dataIndication, { user: 1002, channel: 1003 }, Buffer.alloc(300, 7));
  const short = Buffer.from([0, 5, 1, 2, 3]);
  const fast = fastPathPdu([{ code: 1, fragmentation: 0, data: Buffer.alloc(200, 9) }]);
  const stream = Buffer.concat([slow, short, fast, slow]);

  it('gives the same PDUs wherever the stream is split', () => {
    for (let at = 0; at <= stream.length; at += 1) {
      const splitter = new PduSplitter();
      const parts = [stream.subarray(0, at), stream.subarray(at)].map((chunk) => splitter.push(chunk));
      assert.deepEqual(
        parts.flatMap(({ pdus }) => pdus),
        [slow, short, fast, slow],
      );
      assert.deepEqual(Buffer.concat(parts.map(({ whole }) => whole)), stream);
      assert.equal(splitter.empty, true);
    }
  });

  it('gives the same PDUs byte by byte', () => {
    const splitter = new PduSplitter();
    const pdus = [...stream].flatMap((byte) => splitter.push(Buffer.from([byte])).pdus);
    assert.deepEqual(pdus, [slow, short, fast, slow]);
  });

  for (const [what, bytes] of [
    ['a TPKT that is shorter than its header', '03000006'],
    ['a fast-path PDU of no length', '0000'],
    ['a fast-path PDU that is shorter than its header', '008003'],
    ['RDP encryption', '8005010203'],
    ['another protocol', '474554'],
  ] as const)
    it(`refuses ${what}`, () => assert.throws(() => pduLength(hex(bytes)), Malformed));
});

describe('DER', () => {
  it('reads the numbers that it writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (value) => numberIn(readElement(integer(value))) === value),
    );
  });

  it('reads the lengths that it writes', () => {
    for (const length of [0, 127, 128, 255, 256, 65_535, 65_536])
      assert.equal(readElement(sequence(Buffer.alloc(length))).body.length, length);
  });

  for (const [what, bytes] of [
    ['a length of four gigabytes', '3084ffffffff00'],
    ['an indefinite length', '30800000'],
    ['a length of five bytes', '30850000000001'],
    ['an element that is cut off', '300502'],
  ] as const)
    it(`refuses ${what}`, () => assert.throws(() => readElement(hex(bytes)), Malformed));

  it('refuses children that leave their parent', () => {
    assert.throws(() => children(hex('0203010203ff')), Malformed);
    assert.throws(() => fieldsOf(sequence(integer(1))), Malformed);
    assert.throws(() => fieldsOf(sequence(tagged(0, Buffer.from([4, 9])))), Malformed);
  });
});

describe('RDCleanPath', () => {
  const request = hex(
    '3047a00402020d3ea2060c0478726470a3080c067469636b6574a62d042b0300002b26e00000000000436f6f6b69653a206d737473686173683d616c6963650d0a0100080003000000',
  );

  it('reads the request of the web client', () => {
    const { connectionRequest: inner } = readCleanPath(request);
    assert.deepEqual(readConnectionRequest(inner), { user: 'alice', protocols: 3 });
  });

  it('answers as other gateways do', () => {
    assert.equal(
      cleanPathResponse('xrdp', hex('030000130ed000001234000201080001000000'), hex('3000')).toString('hex'),
      '302da00402020d3ea6150413030000130ed000001234000201080001000000a706300404023000a9060c0478726470',
    );
    assert.equal(cleanPathFailure(403).toString('hex'), '3015a00402020d3ea10d300ba003020101a10402020193');
  });

  it('is refused when it is cut off anywhere', () => {
    for (let length = 0; length < request.length; length += 1)
      assert.throws(() => readCleanPath(request.subarray(0, length)), Malformed);
  });
});

describe('fragments', () => {
  const part = (fragmentation: number, code = 1) => ({ code, fragmentation, compression: 0, data: Buffer.from('ab') });

  it('are joined in their order', () => {
    const joiner = new FragmentJoiner(100);
    assert.equal(joiner.join(part(2)), undefined);
    assert.equal(joiner.join(part(3)), undefined);
    assert.equal(Buffer.from(joiner.join(part(1))?.data ?? []).toString(), 'ababab');
    assert.equal(Buffer.from(joiner.join(part(0))?.data ?? []).toString(), 'ab');
  });

  it('do not grow without a limit, and have a beginning', () => {
    const joiner = new FragmentJoiner(4);
    joiner.join(part(2));
    joiner.join(part(3));
    assert.throws(() => joiner.join(part(3)), Malformed);
    assert.throws(() => new FragmentJoiner(4).join(part(1)), Malformed);
    const other = new FragmentJoiner(9);
    other.join(part(2));
    assert.throws(() => other.join(part(1, 4)), Malformed);
  });
});

describe('bulk compression', () => {
  it('decompresses the sample of the specification', () => {
    // "for.whom.the.bell.tolls," and a copy of it, MS-RDPBCGR 3.1.8.4.2.3.
    const bytes = hex('666f722e77686f6d2e7468652e62656c6c2e746f6c6c732c');
    const plain = new Mppc().decompress(bytes, 0x21);
    assert.equal(Buffer.from(plain).toString('latin1'), 'for.whom.the.bell.tolls,');
  });

  it('copies what overlaps', () => {
    // Literal 'a' (0 1100001), then a copy from 1 back, of length 3 (0).
    const short = new Mppc().decompress(bits('01100001 1111 000001 0'), 0x20);
    assert.equal(Buffer.from(short).toString('latin1'), 'aaaa');
    const long = new Mppc().decompress(bits('01100001 11111 000001 0'), 0x21);
    assert.equal(Buffer.from(long).toString('latin1'), 'aaaa');
  });

  it('refuses what it does not understand, and what leaves its history', () => {
    assert.throws(() => new Mppc().decompress(Buffer.from([1]), 0x22), Malformed);
    const mppc = new Mppc();
    const copies = bits('01100001 1111 000001 ' + '1111111111110 ' + '11111111111111');
    assert.throws(() => mppc.decompress(copies, 0x20), Malformed);
    const filled = new Mppc();
    assert.throws(() => {
      for (let index = 0; index < 9; index += 1) filled.decompress(Buffer.alloc(1024, 1), 0x20);
    }, Malformed);
  });

  it('never reads or writes outside of its memory, whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(255), (bytes, flags) => {
        try {
          assert.ok(new Mppc().decompress(bytes, flags).length <= 65_536);
        } catch (cause) {
          assert.ok(cause instanceof Malformed);
        }
      }),
    );
  });

  it('leaves PDUs in clear as they are', () => {
    const fast = fastPathPdu([{ code: 1, fragmentation: 0, data: Buffer.from('data') }]);
    assert.deepEqual(new BulkUnpacker().fastPath(fast), [fast]);
  });

  it('leaves a fast-path PDU in clear behind it', () => {
    const packedData = bits('01100001 11111 000001 0');
    const pdu = Buffer.concat([
      Buffer.from([0, 3 + 3 + packedData.length - 0, 0x81, 0x21, packedData.length, 0]),
      packedData,
    ]);
    pdu[1] = pdu.length;
    const [plain] = new BulkUnpacker().fastPath(pdu);
    assert.deepEqual(
      readUpdates(plain ?? Buffer.alloc(0)).map(({ code, data }) => [code, Buffer.from(data).toString()]),
      [[1, 'aaaa']],
    );
  });

  it('leaves a slow-path PDU in clear behind it', () => {
    const head = hex('0000 1700 ea03 ea030100 00 01 0000 02 21 0000');
    const payload = Buffer.concat([head, bits('01100001 11111 000001 0')]);
    payload.writeUInt16LE(payload.length, 0);
    const to = { user: 1002, channel: 1003 };
    const pdu = channelData(mcs.dataIndication, to, payload);
    const plain = readChannelData(new BulkUnpacker().slowPath(pdu, { ...to, payload })).payload;
    assert.equal(plain.subarray(18).toString(), 'aaaa');
    assert.equal(plain.readUInt16LE(0), plain.length);
    assert.equal(plain[15], 0);
  });
});

/** Bytes from binary digits, padded with zeros. */
function bits(digits: string): Buffer {
  const all = digits.replace(/\s/g, '');
  const count = Math.ceil(all.length / 8);
  return Buffer.from(
    Array.from({ length: count }, (_, index) => parseInt(all.slice(index * 8, index * 8 + 8).padEnd(8, '0'), 2)),
  );
}
