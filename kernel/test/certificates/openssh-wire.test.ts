import assert from 'node:assert/strict';
import fc from 'fast-check';
import { WireReader, WireWriter } from '../../src/certificates/openssh-wire.js';

describe('the OpenSSH wire format', () => {
  it('reads what it wrote', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 0xffff_ffff }),
        fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
        fc.uint8Array({ maxLength: 300 }),
        fc.string({ unit: 'binary', maxLength: 50 }),
        (small, large, bytes, text) => {
          const written = new WireWriter().uint32(small).uint64(large).string(bytes).string(text).mpint(bytes).end();
          const reader = new WireReader(written);
          assert.equal(reader.uint32(), small);
          assert.equal(reader.uint64(), large);
          assert.deepEqual(reader.string(), Buffer.from(bytes));
          assert.equal(reader.text(), text);
          const start = bytes.findIndex((byte) => byte !== 0);
          assert.deepEqual(reader.mpint(), start < 0 ? Buffer.alloc(0) : Buffer.from(bytes.subarray(start)));
          reader.end();
        },
      ),
    );
  });

  // The examples of RFC 4251 section 5.
  const numbers = [
    { magnitude: '', hex: '00000000' },
    { magnitude: '09a378f9b2e332a7', hex: '0000000809a378f9b2e332a7' },
    { magnitude: '80', hex: '000000020080' },
    { magnitude: '000080', hex: '000000020080' },
  ];
  for (const { magnitude, hex } of numbers)
    it(`writes the number ${magnitude || '0'} as ${hex}`, () => {
      assert.equal(new WireWriter().mpint(Buffer.from(magnitude, 'hex')).end().toString('hex'), hex);
    });

  const bad = [
    { name: 'a negative number', hex: '00000001ff' },
    { name: 'a number with a byte too many', hex: '0000000200 7f' },
    { name: 'a zero that is written', hex: '0000000100' },
    { name: 'a number cut off', hex: '0000000280' },
  ];
  for (const { name, hex } of bad)
    it(`refuses ${name}`, () => {
      assert.throws(() => new WireReader(Buffer.from(hex.replaceAll(' ', ''), 'hex')).mpint(), RangeError);
    });

  it('never reads past its end, wherever the bytes are cut', () => {
    const whole = new WireWriter().string('abc').uint64(1n).uint32(2).end();
    for (let length = 0; length < whole.length; length += 1) {
      const reader = new WireReader(whole.subarray(0, length));
      assert.throws(() => {
        reader.string();
        reader.uint64();
        reader.uint32();
      }, RangeError);
    }
  });

  it('takes no length of 4 GiB at its word', () => {
    assert.throws(() => new WireReader(Buffer.from('ffffffff00', 'hex')).string(), RangeError);
  });

  it('takes no text that is not UTF-8', () => {
    assert.throws(() => new WireReader(Buffer.from('00000001ff', 'hex')).text(), TypeError);
  });
});
