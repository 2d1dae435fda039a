import { asBuffer, Cursor, Malformed, u16 } from './bytes.js';
import { share } from './share.js';

/** Types of capability sets (MS-RDPBCGR 2.2.1.13.1.1.1). */
const capability = {
  bitmap: 2,
  order: 3,
  bitmapCache: 4,
  glyphCache: 16,
  offscreenCache: 17,
  bitmapCacheHost: 18,
  bitmapCache2: 19,
  virtualChannel: 20,
  drawNineGrid: 21,
  gdiPlus: 22,
  remotePrograms: 23,
  windows: 24,
  composition: 25,
  surfaceCommands: 28,
  bitmapCodecs: 29,
  frameAcknowledge: 30,
} as const;

export interface Capability {
  readonly type: number;
  /** Without the header of 4 bytes. */
  readonly data: Buffer;
}

/** A Demand or Confirm Active PDU, taken apart. */
export interface Active {
  readonly head: Buffer;
  readonly capabilities: readonly Capability[];
  readonly tail: Buffer;
}

/** Far more than there are types. */
const maxCapabilities = 64;

/** Reads the share control PDU of either kind (MS-RDPBCGR 2.2.1.13). */
export function readActive(payload: Buffer): Active {
  const cursor = new Cursor(payload, 2);
  const type = cursor.u16() & 0x0f;
  cursor.skip(type === share.confirmActive ? 8 : 6);
  const descriptor = cursor.u16();
  const combined = cursor.u16();
  cursor.skip(descriptor);
  const head = payload.subarray(0, cursor.at);
  const sets = new Cursor(payload, cursor.at, cursor.at + combined);
  const count = sets.u16();
  if (count > maxCapabilities) throw new Malformed(`${count} capability sets`);
  sets.skip(2);
  const capabilities = Array.from({ length: count }, () => {
    const set = sets.u16();
    const length = sets.u16();
    if (length < 4) throw new Malformed('a capability set that is shorter than its header');
    return { type: set, data: asBuffer(sets.take(length - 4)) };
  });
  return { head, capabilities, tail: payload.subarray(sets.end) };
}

export function writeActive({ head, capabilities, tail }: Active): Buffer {
  const sets = capabilities.flatMap(({ type, data }) => [u16(type), u16(data.length + 4), data]);
  const body = Buffer.concat([u16(capabilities.length), u16(0), ...sets]);
  const written = Buffer.concat([head, body, tail]);
  written.writeUInt16LE(written.length, 0);
  const confirms = (written.readUInt16LE(2) & 0x0f) === share.confirmActive;
  written.writeUInt16LE(body.length, confirms ? 14 : 12);
  return written;
}

/** What a recording cannot show, or nobody should use: caches, drawing orders, windows of single programs. */
const neverInRecordings: ReadonlySet<number> = new Set([
  capability.offscreenCache,
  capability.bitmapCacheHost,
  capability.drawNineGrid,
  capability.gdiPlus,
  capability.remotePrograms,
  capability.windows,
  capability.composition,
]);

/** What is more than bitmaps. */
const codecs: ReadonlySet<number> = new Set([
  capability.surfaceCommands,
  capability.bitmapCodecs,
  capability.frameAcknowledge,
]);

/** What a target may be told that a client can do, so that everything it sends can be recorded and shown again. */
export function recordable(capabilities: readonly Capability[], allowCodecs: boolean): Capability[] {
  return capabilities
    .filter(({ type }) => !neverInRecordings.has(type) && (allowCodecs || !codecs.has(type)))
    .map(({ type, data }) => ({ type, data: restricted(type, data) }));
}

function restricted(type: number, data: Buffer): Buffer {
  const copy = Buffer.from(data);
  if (type === capability.order) restrictOrders(copy);
  if (type === capability.glyphCache && copy.length >= 46) copy.writeUInt16LE(0, 44);
  if (type === capability.bitmapCache && copy.length > 24) copy.fill(0, 24);
  if (type === capability.bitmapCache2) copy.fill(0);
  return copy;
}

/** No drawing orders at all: everything comes as bitmaps. */
function restrictOrders(data: Buffer): void {
  if (data.length < 84) throw new Malformed('an order capability set of the wrong size');
  data.writeUInt16LE(0x000a, 30);
  data.fill(0, 32, 64);
  data.writeUInt16LE(0, 66);
  data.writeUInt32LE(0, 72);
}

/** Static channels carry what the gateway reads: in clear. */
export function uncompressedChannels(capabilities: readonly Capability[]): Capability[] {
  return capabilities.map(({ type, data }) => {
    if (type !== capability.virtualChannel || data.length < 4) return { type, data };
    const copy = Buffer.from(data);
    copy.writeUInt32LE(0, 0);
    return { type, data: copy };
  });
}

/** The size of the desktop, from the bitmap capability set of a Demand Active. */
export function desktopSize({ capabilities }: Active): { readonly width: number; readonly height: number } | undefined {
  const bitmap = capabilities.find(({ type }) => type === capability.bitmap);
  if (!bitmap || bitmap.data.length < 12) return undefined;
  const cursor = new Cursor(bitmap.data, 8);
  return { width: cursor.u16(), height: cursor.u16() };
}
