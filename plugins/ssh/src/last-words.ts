import { message, WireWriter } from './wire.js';

/** What the server calls itself. */
export const serverName = 'Postern';

const blockSize = 8;
const minimumPadding = 4;
const hostNotAllowed = 1;

/**
 * An identification and a reason to end (RFC 4253, sections 4.2, 6 and 11.1),
 * for a client with which nothing else was spoken: it shows the text.
 */
export function firstAndLastWords(text: string): Buffer {
  const payload = new WireWriter().byte(message.disconnect).uint32(hostNotAllowed).string(text).string('').end();
  // The length, the padding's length, the payload and the padding fill whole blocks.
  const rest = (4 + 1 + payload.length + minimumPadding) % blockSize;
  const padding = minimumPadding + (rest === 0 ? 0 : blockSize - rest);
  return new WireWriter()
    .raw(Buffer.from(`SSH-2.0-${serverName}\r\n`))
    .uint32(1 + payload.length + padding)
    .byte(padding)
    .raw(payload)
    .raw(Buffer.alloc(padding))
    .end();
}
