import assert from 'node:assert/strict';
import fc from 'fast-check';
import { plainLine, WireReader, WireWriter } from '../src/wire.js';
import { sttyArguments } from '../src/tty-modes.js';

describe('the data types of SSH', () => {
  it('are read as they were written', () => {
    fc.assert(
      fc.property(
        fc.nat(255),
        fc.nat(0xffff_ffff),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.string(),
        (a, b, c, d) => {
          const bytes = new WireWriter().byte(a).uint32(b).uint64(c).string(d).boolean(true).end();
          const reader = new WireReader(bytes);
          assert.deepEqual(
            [reader.byte(), reader.uint32(), reader.uint64(), reader.text()],
            [a, b, c, Buffer.from(d).toString()],
          );
          assert.equal(reader.boolean(), true);
          reader.end();
        },
      ),
    );
  });

  it('are not read beyond the end, wherever that is', () => {
    const whole = new WireWriter().uint32(7).string('name').uint64(1n).end();
    for (let length = 0; length < whole.length; length += 1) {
      const reader = new WireReader(whole.subarray(0, length));
      assert.throws(() => {
        reader.uint32();
        reader.string();
        reader.uint64();
      }, RangeError);
    }
    assert.throws(() => new WireReader(Buffer.from([0xff, 0xff, 0xff, 0xff, 1])).string(), RangeError);
    assert.throws(() => new WireReader(new WireWriter().string('long').end()).text(3), RangeError);
  });

  const integers: readonly [hex: string, wire: string][] = [
    ['', '00000000'],
    ['00', '00000000'],
    ['09a378f9b2e332a7', '0000000809a378f9b2e332a7'],
    ['80', '000000020080'],
    ['0000ff', '0000000200ff'],
  ];
  for (const [hex, wire] of integers)
    it(`write the integer 0x${hex} in its shortest positive form (RFC 4251)`, () =>
      assert.equal(new WireWriter().mpint(Buffer.from(hex, 'hex')).end().toString('hex'), wire));
});

describe('a line for a terminal', () => {
  it('holds nothing that moves a cursor', () => {
    assert.equal(plainLine('a\x1b[2Jb\r\nc\u2028d\u0007\u202ee'), 'a [2Jb c d e');
    assert.equal(plainLine('x'.repeat(5000)).length, 1000);
  });
});

describe('terminal modes', () => {
  const mode = (opcode: number, value: number): Buffer => new WireWriter().byte(opcode).uint32(value).end();
  const table: readonly [name: string, modes: Buffer, words: readonly string[]][] = [
    ['nothing', Buffer.alloc(0), []],
    ['the end', Buffer.from([0]), []],
    [
      'characters',
      Buffer.concat([mode(1, 3), mode(3, 127), mode(10, 255)]),
      ['intr', '0x03', 'erase', '0x7f', 'susp', 'undef'],
    ],
    ['flags', Buffer.concat([mode(53, 1), mode(60, 0), mode(42, 1)]), ['echo', '-echoctl', 'iutf8']],
    ['speeds and unknown ones', Buffer.concat([mode(128, 38_400), mode(99, 1), mode(53, 0)]), ['-echo']],
    ['what follows the end', Buffer.concat([Buffer.from([0]), mode(53, 1)]), []],
    ['opcodes without a known length', Buffer.concat([mode(160, 1), mode(53, 1)]), []],
    ['a truncated value', mode(53, 1).subarray(0, 4), []],
    ['a value with a high byte', mode(53, 0xff00_0000), ['echo']],
  ];
  for (const [name, modes, words] of table)
    it(`are words of stty for ${name}`, () => assert.deepEqual(sttyArguments(modes), words));

  it('are words of stty alone, whatever the client sends', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const word of sttyArguments(Buffer.from(bytes))) assert.match(word, /^-?[a-z0-9]+$/);
      }),
    );
  });
});
