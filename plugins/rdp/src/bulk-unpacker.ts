import { asBuffer, u16 } from './bytes.js';
import { fastPathPdu, readUpdates } from './fast-path.js';
import { channelData, mcs, type ChannelData } from './mcs.js';
import { Mppc } from './mppc.js';
import { readShareHeader, shareDataHeader } from './share.js';

/** Bits of a compression field that say that there is something to undo: compressed, at front, flushed. */
const touchesHistory = 0xe0;

/**
 * Undoes a server's bulk compression, PDU by PDU. Must see all of them in their
 * order, from the first one on.
 */
export class BulkUnpacker {
  readonly #mppc = new Mppc();

  /** A fast-path PDU in clear: itself where it is that already, and several where they have become too long for one. */
  fastPath(pdu: Buffer): Buffer[] {
    const updates = readUpdates(pdu);
    if (updates.every(({ compression }) => compression === 0)) return [pdu];
    const plain = updates.map((update) => ({
      ...update,
      data: this.#mppc.decompress(update.data, update.compression),
    }));
    const pdus: Buffer[] = [];
    let group: typeof plain = [];
    let size = 0;
    for (const update of plain) {
      if (size > 0 && size + update.data.length + 3 > 0x7ff0) {
        pdus.push(fastPathPdu(group));
        group = [];
        size = 0;
      }
      group.push(update);
      size += update.data.length + 3;
    }
    return [...pdus, fastPathPdu(group)];
  }

  /** A share data PDU in clear; the same PDU where nothing was to be done. */
  slowPath(pdu: Buffer, { user, channel, payload }: ChannelData): Buffer {
    const { data } = readShareHeader(payload);
    if (!data || (data.compression & touchesHistory) === 0) return pdu;
    const body = this.#mppc.decompress(payload.subarray(shareDataHeader), data.compression);
    const head = Buffer.from(payload.subarray(0, shareDataHeader));
    head.writeUInt16LE(shareDataHeader + body.length, 0);
    u16(body.length + 4).copy(head, 12);
    head[15] = 0;
    head.writeUInt16LE(0, 16);
    return channelData(mcs.dataIndication, { user, channel }, Buffer.concat([head, asBuffer(body)]));
  }
}
