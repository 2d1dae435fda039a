import assert from 'node:assert/strict';

/** Record types of TLS (RFC 8446, section 5.1): change_cipher_spec to application_data. */
const recordTypes = { first: 20, handshake: 22, application: 23 };

/**
 * Fails unless the bytes are whole TLS records from the first to the last, and
 * returns how many of them are encrypted. In TLS 1.3, everything behind the two
 * hellos is.
 */
export function assertTlsRecords(bytes: Buffer): number {
  let encrypted = 0;
  let hellos = 0;
  for (let at = 0; at < bytes.length;) {
    assert.ok(at + 5 <= bytes.length, 'a record is cut off');
    const [type = 0, major] = bytes.subarray(at);
    assert.ok(type >= recordTypes.first && type <= recordTypes.application && major === 3, `no record at ${at}`);
    const length = bytes.readUInt16BE(at + 3);
    assert.ok(length > 0 && length <= 16_384 + 256, `a record of ${length} bytes`);
    if (type === recordTypes.application) encrypted += 1;
    if (type === recordTypes.handshake) hellos += 1;
    at += 5 + length;
    assert.ok(at <= bytes.length, 'a record is cut off');
  }
  assert.equal(hellos, 1, 'more than the hello is not encrypted');
  return encrypted;
}

const newKeys = 21;

/**
 * Fails unless the bytes are an SSH identification and then packets (RFC 4253,
 * sections 4.2 and 6) up to SSH_MSG_NEWKEYS, and returns what is behind it:
 * from there, all is encrypted. Before it, only messages of the key exchange may be.
 */
export function assertSshPackets(bytes: Buffer): Buffer {
  const line = bytes.indexOf('\r\n');
  assert.match(bytes.toString('latin1', 0, Math.max(0, line)), /^SSH-2\.0-[\x21-\x7e]+( [\x20-\x7e]+)?$/);
  for (let at = line + 2; ;) {
    assert.ok(at + 6 <= bytes.length, 'the key exchange does not end');
    const length = bytes.readUInt32BE(at);
    const padding = bytes.readUInt8(at + 4);
    const type = bytes.readUInt8(at + 5);
    assert.ok(length >= 12 && length <= 35_000 && padding >= 4 && padding < length, `no packet at ${at}`);
    assert.ok(type >= 20 && type <= 49, `message ${type} is not encrypted`);
    at += 4 + length;
    if (type === newKeys) return bytes.subarray(at);
  }
}
