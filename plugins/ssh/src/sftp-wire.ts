/** OpenSSH's sftp-server takes no longer message (SFTP_MAX_MSG_LENGTH). */
const maximumMessage = 256 * 1024;
/** What is kept of a message for reading: ids, handles, and two paths of the longest kind. */
const maximumKept = 16 * 1024;
/** What is kept where data follows: id, handle, offset and length. */
const keptOfData = 300;

/** The requests and responses that are read, by number (draft-ietf-secsh-filexfer-02, section 3). */
export const sftpType = {
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  setstat: 9,
  fsetstat: 10,
  opendir: 11,
  remove: 13,
  mkdir: 14,
  rmdir: 15,
  rename: 18,
  symlink: 20,
  handle: 102,
  data: 103,
  extended: 200,
} as const;

/** The beginning of one message, after its length. */
export interface SftpMessage {
  readonly type: number;
  /** The fields after the type, as far as they are kept: not the data of a read or a write. */
  readonly body: Buffer;
}

/**
 * Finds the messages in one direction of an SFTP stream: `uint32 length | byte
 * type | …`. Keeps only the beginning of each, so that it holds and copies
 * little however much is transferred.
 */
export class SftpFramer {
  #head = Buffer.alloc(0);
  /** Bytes until the length, the type, or what is kept is complete. */
  #missing = 4;
  #stage: 'length' | 'type' | 'body' = 'length';
  #skip = 0;
  #length = 0;

  constructor(private readonly onMessage: (message: SftpMessage) => void) {}

  /** Throws a RangeError for a message that sftp-server would not take either. */
  push(data: Buffer): void {
    let at = 0;
    while (at < data.length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, data.length - at);
        this.#skip -= skipped;
        at += skipped;
        continue;
      }
      const part = data.subarray(at, at + this.#missing);
      this.#head = Buffer.concat([this.#head, part]);
      this.#missing -= part.length;
      at += part.length;
      if (this.#missing === 0) this.#advance();
    }
  }

  #advance(): void {
    if (this.#stage === 'length') return this.#begin(this.#head.readUInt32BE());
    if (this.#stage === 'type') {
      const type = this.#head[0];
      const kept = type === sftpType.write || type === sftpType.data ? keptOfData : maximumKept;
      this.#stage = 'body';
      this.#missing = Math.min(this.#length, kept) - 1;
      if (this.#missing > 0) return;
    }
    this.#finish();
  }

  #begin(length: number): void {
    if (length < 1 || length > maximumMessage) throw new RangeError(`an SFTP message of ${length} bytes`);
    this.#length = length;
    this.#head = Buffer.alloc(0);
    this.#stage = 'type';
    this.#missing = 1;
  }

  #finish(): void {
    const head = this.#head;
    this.#head = Buffer.alloc(0);
    this.#stage = 'length';
    this.#missing = 4;
    this.#skip = this.#length - head.length;
    this.onMessage({ type: head[0] ?? 0, body: head.subarray(1) });
  }
}

const openFlags = ['read', 'write', 'append', 'create', 'truncate', 'exclusive'] as const;

/** The names of the flags of an open request (section 6.3 of the draft). */
export const openFlagNames = (flags: number): readonly string[] =>
  openFlags.filter((_, bit) => (flags & (1 << bit)) !== 0);

const attributeFlags = ['size', 'owner', 'permissions', 'times'] as const;

/** What a set of attributes changes (section 5). */
export const attributeNames = (flags: number): readonly string[] =>
  attributeFlags.filter((_, bit) => (flags & (1 << bit)) !== 0);
