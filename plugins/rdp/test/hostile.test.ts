import assert from 'node:assert/strict';
import { Malformed, u16, u32 } from '../src/bytes.js';
import { BitmapFixer, bitmapUpdate } from '../src/bitmap-fixer.js';
import { readActive } from '../src/capabilities.js';
import { readClientInfo } from '../src/client-info.js';
import { readClientConference, readServerConference, serverConference } from '../src/conference.js';
import { readTsRequest, writeTsRequest } from '../src/credssp.js';
import { readCreation } from '../src/dynamic-channel.js';
import { fastPathPdu, readUpdates } from '../src/fast-path.js';
import { readChannelData } from '../src/mcs.js';
import { NtlmClient } from '../src/ntlm.js';
import { decodeBitmap, readBitmapUpdate, type BitmapData } from '../src/player/bitmap.js';
import { Desktop } from '../src/player/desktop.js';
import { encodePng } from '../src/player/png.js';
import { Screen } from '../src/player/screen.js';
import { readChunk } from '../src/virtual-channel.js';
import { connectionRequest, readConnectionConfirm, readConnectionRequest, connectionConfirm } from '../src/x224.js';
import { demandActive, greyPicture } from './support/fake-desktop.js';
import { NtlmServer } from './support/ntlm-server.js';
import { confirmActive, infoPacket, initialPdu } from './support/scripted-client.js';

const account = { user: 'u', domain: 'd', password: 'p' };
const bitmap = (more: Partial<BitmapData>): BitmapData => ({
  left: 0,
  top: 0,
  right: 3,
  bottom: 3,
  width: 4,
  height: 4,
  bitsPerPixel: 16,
  flags: 0x401,
  bytes: Buffer.alloc(0),
  ...more,
});

/** Parsers with a message that each of them takes. */
const parsers: readonly { name: string; sample: Buffer; parse: (bytes: Buffer) => unknown; shorter?: boolean }[] = [
  { name: 'connection requests', sample: connectionRequest(3, 'alice'), parse: readConnectionRequest },
  { name: 'connection confirms', sample: connectionConfirm(1), parse: readConnectionConfirm },
  { name: 'Connect-Initial', sample: initialPdu(['cliprdr', 'rdpdr']), parse: readClientConference },
  { name: 'Connect-Response', sample: serverConference(1, 3), parse: readServerConference },
  { name: 'client info', sample: infoPacket('alice', 'secret'), parse: readClientInfo, shorter: true },
  { name: 'Demand Active', sample: demandActive(640, 480), parse: readActive, shorter: true },
  { name: 'Confirm Active', sample: confirmActive(1, 1002), parse: readActive },
  { name: 'fast-path updates', sample: greyPicture, parse: readUpdates },
  { name: 'channel data', sample: initialPdu([]), parse: readChannelData },
  { name: 'chunks', sample: Buffer.concat([u32(4), u32(3)]), parse: readChunk },
  {
    name: 'dynamic channels',
    sample: Buffer.concat([u32(6), u32(3), Buffer.from('\x10\x01ECHO')]),
    parse: readCreation,
    shorter: true,
  },
  {
    name: 'CredSSP',
    sample: writeTsRequest({ version: 6, token: Buffer.from('token'), pubKeyAuth: Buffer.from('key') }),
    parse: readTsRequest,
  },
  {
    name: 'NTLM challenges',
    sample: new NtlmServer('p').challenge(Buffer.alloc(40)),
    parse: (bytes) => new NtlmClient(account).authenticate(bytes),
    shorter: true,
  },
];

/** A small generator that gives the same numbers for the same seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % below;
  };
}

describe('hostile messages', () => {
  for (const { name, sample, parse, shorter = false } of parsers) {
    it(`that are cut off anywhere are refused: ${name}`, () => {
      for (let length = 0; length < sample.length; length += 1)
        try {
          parse(sample.subarray(0, length));
          if (!shorter && name !== 'fast-path updates' && name !== 'channel data')
            assert.fail(`${length} of ${sample.length} bytes were taken`);
        } catch (cause) {
          if (!(cause instanceof Malformed)) throw cause;
        }
    });

    it(`that were changed are taken or refused, and nothing else: ${name}`, () => {
      const random = numbers(sample.length);
      const end = performance.now() + (process.env['POSTERN_TEST_FULL'] === '1' ? 10_000 : 150);
      while (performance.now() < end) {
        const changed = Buffer.from(sample);
        for (let edits = 1 + random(5); edits > 0; edits -= 1) changed[random(changed.length)] = random(256);
        try {
          parse(changed);
        } catch (cause) {
          if (!(cause instanceof Malformed)) throw cause;
        }
      }
    }).timeout(60_000);
  }
});

describe('hostile bitmaps', () => {
  const refused: readonly [string, () => unknown][] = [
    [
      'of four thousand million pixels',
      () => readBitmapUpdate(bitmapUpdate([bitmap({ width: 65_535, height: 65_535 })])),
    ],
    ['of no pixels', () => readBitmapUpdate(bitmapUpdate([bitmap({ width: 0 })]))],
    [
      'that are large, and many',
      () => readBitmapUpdate(bitmapUpdate(Array(3).fill(bitmap({ width: 4096, height: 2048 })))),
    ],
    ['of negative size', () => readBitmapUpdate(bitmapUpdate([bitmap({ left: 9 })]))],
    ['of unknown depth', () => readBitmapUpdate(bitmapUpdate([bitmap({ bitsPerPixel: 64 })]))],
    ['that are more than announced', () => readBitmapUpdate(Buffer.concat([u16(1), u16(500), Buffer.alloc(18)]))],
    ['with runs that leave them', () => decodeBitmap(bitmap({ bytes: Buffer.from([0xf3, 17, 0, 1, 1]) }))],
    ['with runs of no background', () => decodeBitmap(bitmap({ bytes: Buffer.from([0xf0, 0, 0]) }))],
    ['with unknown orders', () => decodeBitmap(bitmap({ bytes: Buffer.from([0xff]) }))],
    ['that end inside of a pixel', () => decodeBitmap(bitmap({ bytes: Buffer.from([0x82, 1, 2, 3]) }))],
    ['that are raw and short', () => decodeBitmap(bitmap({ flags: 0, bytes: Buffer.alloc(31) }))],
    ['of planes that are short', () => decodeBitmap(bitmap({ bitsPerPixel: 32, bytes: Buffer.from([0x20, 1, 2]) }))],
    [
      'of planes with runs that leave their rows',
      () => decodeBitmap(bitmap({ bitsPerPixel: 32, bytes: Buffer.from([0x30, 0x0f]) })),
    ],
    [
      'of planes that are subsampled without a colour space',
      () => decodeBitmap(bitmap({ bitsPerPixel: 32, bytes: Buffer.from([0x28]) })),
    ],
    ['of desktops without a size', () => new Screen(0, 5)],
    ['of desktops that are too large', () => new Screen(65_535, 65_535)],
  ];
  for (const [what, run] of refused) it(`${what} are refused`, () => assert.throws(run, Malformed));

  it('draw nothing outside of the screen', () => {
    const screen = new Screen(4, 4);
    screen.draw(bitmap({ left: 60_000, right: 60_003, flags: 0, bytes: Buffer.alloc(32, 0xff) }), new Uint32Array(256));
    screen.draw(
      bitmap({ left: 2, right: 5, top: 3, bottom: 6, flags: 0, bytes: Buffer.alloc(32, 0xff) }),
      new Uint32Array(256),
    );
    const lit = screen.rgba.filter((value, index) => index % 4 === 0 && value === 255).length;
    assert.equal(lit, 2);
  });

  for (const bitsPerPixel of [8, 15, 16, 24, 32])
    it(`never make a decoder leave its memory at ${bitsPerPixel} bits`, () => {
      const random = numbers(bitsPerPixel);
      const end = performance.now() + (process.env['POSTERN_TEST_FULL'] === '1' ? 10_000 : 200);
      while (performance.now() < end) {
        const bytes = Buffer.from(Array.from({ length: random(60) }, () => random(256)));
        try {
          assert.equal(decodeBitmap(bitmap({ bitsPerPixel, bytes, width: 8, height: 8 })).length, 64);
        } catch (cause) {
          if (!(cause instanceof Malformed)) throw cause;
        }
      }
    }).timeout(60_000);
});

describe('bitmaps', () => {
  it('are decoded from runs: colour, white, black, and the line below', () => {
    // Four white by order, a run of 4 red; then background repeats the line below.
    const bytes = Buffer.from([0xfd, 0xfe, 0x62, 0x00, 0xf8, 0x04]);
    const pixels = decodeBitmap(bitmap({ height: 2, bytes }));
    assert.deepEqual([...pixels], [0xffff, 0, 0xf800, 0xf800, 0xffff, 0, 0xf800, 0xf800]);
  });

  it('are decoded from planes, in runs and without', () => {
    const raw = Buffer.from([0x20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    const two = { width: 2, height: 2, right: 1, bottom: 1, bitsPerPixel: 32 };
    assert.deepEqual([...decodeBitmap(bitmap({ ...two, bytes: raw }))], [0x010509, 0x02060a, 0x03070b, 0x04080c]);
    // Each plane: 10 twice, then a row that differs by +1 (coded as 2) twice.
    const plane = [0x20, 10, 10, 0x20, 2, 2];
    const runs = Buffer.from([0x30, ...plane, ...plane, ...plane]);
    assert.deepEqual([...decodeBitmap(bitmap({ ...two, bytes: runs }))], [0x0a0a0a, 0x0a0a0a, 0x0b0b0b, 0x0b0b0b]);
  });

  it('that are padded are cropped for the web client, to the same pixels', () => {
    const padded = bitmap({
      right: 2,
      bottom: 3,
      flags: 0,
      bytes: Buffer.from(Array.from({ length: 32 }, (_, at) => at * 7)),
    });
    const pdu = fastPathPdu([{ code: 1, fragmentation: 0, data: bitmapUpdate([padded]) }]);
    const fixed = new BitmapFixer().fix(pdu);
    const draw = (pdus: readonly Buffer[]) => {
      const desktop = new Desktop();
      desktop.screen = new Screen(6, 6);
      for (const one of pdus) desktop.feed(one);
      return [...desktop.screen.rgba];
    };
    assert.notDeepEqual(fixed, [pdu]);
    assert.deepEqual(draw(fixed), draw([pdu]));
    for (const one of fixed)
      for (const { data } of readUpdates(one))
        for (const { left, right, width } of readBitmapUpdate(data)) assert.equal(right - left + 1, width);
  });

  it('become a PNG', () => {
    const png = encodePng(new Screen(2, 1).rgba, 2, 1);
    assert.equal(png.subarray(1, 4).toString(), 'PNG');
    assert.equal(png.readUInt32BE(16), 2);
    assert.equal(png.subarray(-8, -4).toString(), 'IEND');
  });
});
