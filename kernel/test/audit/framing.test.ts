import assert from 'node:assert/strict';
import fc from 'fast-check';
import { framesIn, maxFrameBytes, writeFrame, type FramePiece } from '../../src/audit/spool/framing.js';

const frame = (payload: string): Buffer => {
  const target = Buffer.alloc(maxFrameBytes);
  return target.subarray(0, writeFrame(target, 0, payload));
};

const read = (bytes: Buffer, atEnd = true): { pieces: FramePiece[]; rest: number } => {
  const pieces: FramePiece[] = [];
  const walk = framesIn(bytes, atEnd);
  for (;;) {
    const next = walk.next();
    if (next.done === true) return { pieces, rest: next.value };
    pieces.push(next.value);
  }
};

const payloads = (bytes: Buffer): string[] =>
  read(bytes).pieces.flatMap((piece) => (piece.kind === 'record' ? [piece.payload.toString()] : []));

const kinds = (bytes: Buffer, atEnd = true): string[] => read(bytes, atEnd).pieces.map(({ kind }) => kind);

const three = [frame('{"a":1}'), frame('{"b":"é😀"}'), frame('{"c":3}')] as const;
const all = Buffer.concat(three);

describe('the frames of a spool', () => {
  it('are lines that begin with length and checksum', () => {
    assert.equal(three[0].toString(), '00000007 561bacaf {"a":1}\n');
    assert.deepEqual(payloads(all), ['{"a":1}', '{"b":"é😀"}', '{"c":3}']);
  });

  it('give back what went in', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1, unit: 'grapheme' }), { maxLength: 20 }), (texts) => {
        const usable = texts.map((text) => JSON.stringify({ text }));
        assert.deepEqual(payloads(Buffer.concat(usable.map(frame))), usable);
      }),
    );
  });

  it('hold up to the longest event', () => {
    const longest = 'x'.repeat(65_535);
    assert.equal(frame(longest).length, maxFrameBytes);
    assert.deepEqual(payloads(frame(longest)), [longest]);
    assert.deepEqual(payloads(Buffer.concat([Buffer.from('00010000 00000000 '), Buffer.alloc(70_000, 0x78)])), []);
  });

  it('cut at any byte are whole up to there, and the rest is torn', () => {
    const ends = [0, three[0].length, three[0].length + three[1].length, all.length];
    for (let cut = 0; cut <= all.length; cut += 1) {
      const whole = ends.filter((end) => end > 0 && end <= cut).length;
      const expected = [...Array.from({ length: whole }, () => 'record'), ...(ends.includes(cut) ? [] : ['torn'])];
      // A record is whole with its last brace, but is taken only with its newline.
      assert.deepEqual(kinds(all.subarray(0, cut)), expected, `cut at ${cut}`);
    }
  });

  it('that need more bytes wait for them, at any split', () => {
    for (let cut = 0; cut <= all.length; cut += 1) {
      const { pieces, rest } = read(all.subarray(0, cut), false);
      const more = read(all.subarray(rest));
      assert.equal(pieces.length + more.pieces.length, 3, `split at ${cut}`);
      assert.ok([...pieces, ...more.pieces].every(({ kind }) => kind === 'record'));
    }
  });

  it('with any one bit flipped cost no other record', () => {
    for (let bit = 0; bit < all.length * 8; bit += 1) {
      const flipped = Buffer.from(all);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const kept = payloads(flipped);
      assert.ok(kept.length >= 2, `bit ${bit} left ${kept.length} records`);
      for (const payload of kept) assert.ok(payloads(all).includes(payload), `bit ${bit} made ${payload}`);
      if (kept.length === 2) assert.ok(kinds(flipped).includes('damage'), `bit ${bit} was taken for a torn end`);
    }
  });

  it('behind a lost block are found again', () => {
    for (const size of [1, 5, 40]) {
      const lost = Buffer.concat([three[0], Buffer.alloc(size), three[1].subarray(size), three[2]]);
      assert.deepEqual(payloads(lost), ['{"a":1}', '{"c":3}']);
    }
  });

  it('end where a file system left zeroes', () => {
    assert.deepEqual(kinds(Buffer.concat([three[0], Buffer.alloc(4096)])), ['record', 'torn']);
  });

  it('are not found in bytes that only look like them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
        const pieces = read(Buffer.from(noise)).pieces;
        assert.ok(pieces.every(({ kind }) => kind !== 'record'));
        assert.equal(
          pieces.reduce((sum, { start, end }) => sum + end - start, 0),
          noise.length,
        );
      }),
    );
  });
});
