import type { Hold } from '@postern/plugin-sdk';
import { asBuffer, Cursor, Malformed, u16, u32 } from './bytes.js';
import type { Use } from './protocol.js';
import { chunkFlag, chunksOf, readChunk } from './virtual-channel.js';

/** Packets of MS-RDPEFS: component and id, the first four bytes of a message. */
const announce = 0x4441_4472;
const request = 0x4952_4472;

/** Types of devices (MS-RDPEFS 2.2.1.3), as what roles call them. */
const deviceUses: Readonly<Record<number, Use>> = {
  0x01: 'ports',
  0x02: 'ports',
  0x04: 'printers',
  0x08: 'drives',
  0x20: 'smartcards',
};

/** The longest list of devices; printers bring names and settings. */
const maxAnnouncement = 1 << 20;

export interface DeviceGate {
  /** Resolves to false, after a denial was recorded, where the user may not offer such devices. */
  allows(use: Use): Promise<boolean>;
  /** Records a device that goes through. */
  offered(use: Use, name: string): Hold;
}

/**
 * Devices of the client (static channel `rdpdr`). Takes out of the client's
 * list what roles do not allow, and keeps a desktop from reaching for what is
 * not on it.
 */
export class DeviceChannel {
  readonly #allowed = new Set<number>();
  #announcement: Buffer[] | undefined;
  #announced = 0;
  /** True while the rest of a desktop's message is dropped. */
  #dropping = false;

  constructor(private readonly gate: DeviceGate) {}

  /** What goes to the desktop instead of a chunk; undefined for the chunk itself. */
  fromClient(payload: Buffer): undefined | readonly Buffer[] | Promise<readonly Buffer[]> {
    const { flags, data } = readChunk(payload);
    if (flags & chunkFlag.first) {
      this.#announcement = data.length >= 4 && data.readUInt32LE(0) === announce ? [] : undefined;
      this.#announced = 0;
      // Whoever tells two bytes at a time does it to be misread.
      if (data.length < 4) throw new Malformed('a device message without its header');
    }
    if (!this.#announcement) return undefined;
    this.#announcement.push(Buffer.from(data));
    this.#announced += data.length;
    if (this.#announced > maxAnnouncement) throw new Malformed('too long a list of devices');
    if ((flags & chunkFlag.last) === 0) return [];
    const message = Buffer.concat(this.#announcement);
    this.#announcement = undefined;
    return this.#filtered(message).then((kept) => chunksOf(kept, flags & 0x10));
  }

  /** False where a chunk must not reach the client. */
  fromDesktop(payload: Buffer): boolean {
    const { flags, data } = readChunk(payload);
    if (flags & chunkFlag.first) {
      if (data.length < 4) throw new Malformed('a device message without its header');
      const asks = data.readUInt32LE(0) === request;
      this.#dropping = asks && !this.#allowed.has(new Cursor(data, 4).u32());
    }
    return !this.#dropping;
  }

  /** DR_CORE_DEVICELIST_ANNOUNCE_REQ: header u32 | count u32 | {type u32, id u32, name[8], length u32, data}. */
  async #filtered(message: Buffer): Promise<Buffer> {
    const cursor = new Cursor(message, 4);
    const count = cursor.u32();
    const kept: Buffer[] = [];
    for (let index = 0; index < count; index += 1) {
      const start = cursor.at;
      const type = cursor.u32();
      const id = cursor.u32();
      const name = asBuffer(cursor.take(8)).toString('latin1').replace(/\0.*$/s, '');
      cursor.skip(cursor.u32());
      const use = deviceUses[type];
      if (use === undefined || !(await this.gate.allows(use))) continue;
      await this.gate.offered(use, name.replace(/[^\x20-\x7e]/g, '?'));
      this.#allowed.add(id);
      kept.push(message.subarray(start, cursor.at));
    }
    return Buffer.concat([u16(0x4472), u16(0x4441), u32(kept.length), ...kept]);
  }
}
