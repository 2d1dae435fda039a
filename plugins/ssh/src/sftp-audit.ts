import type { Hold } from '@postern/plugin-sdk';
import { attributeNames, openFlagNames, SftpFramer, sftpType, type SftpMessage } from './sftp-wire.js';
import { WireReader } from './wire.js';

/** One thing that happened to a file. */
export interface SftpEvent {
  readonly operation: string;
  readonly path: string;
  readonly path2?: string;
  readonly flags?: string[];
  readonly read?: number;
  readonly written?: number;
}

/** More than this of anything at once is no honest client. */
const maximumOpen = 4096;
const maximumPath = 4096;

interface OpenFile {
  readonly path: string;
  read: number;
  written: number;
}

/** What waits for its response: an open for its handle, a read for its data. */
type Awaited = { readonly opening: string } | { readonly reading: OpenFile };

/**
 * Reads along with one SFTP conversation and reports what it does to files,
 * before the server sees the request. Whatever this reader could misunderstand
 * throws a RangeError, and the transfer must end: what cannot be recorded
 * must not happen.
 */
export class SftpAudit {
  readonly #requests: SftpFramer;
  readonly #responses: SftpFramer;
  readonly #awaited = new Map<number, Awaited>();
  readonly #files = new Map<string, OpenFile>();
  #holds: Promise<void>[] = [];

  constructor(private readonly emit: (event: SftpEvent) => Hold) {
    this.#requests = new SftpFramer((message) => this.#onRequest(message));
    this.#responses = new SftpFramer((message) => this.#onResponse(message));
  }

  /** Reads what the client sent; what it returns must settle before the server may see it. */
  fromClient(data: Buffer): Hold {
    this.#requests.push(data);
    return this.#takeHolds();
  }

  fromServer(data: Buffer): void {
    this.#responses.push(data);
  }

  /** Reports the files that the client left open. */
  end(): Hold {
    for (const file of this.#files.values()) this.#close(file);
    this.#files.clear();
    return this.#takeHolds();
  }

  #onRequest({ type, body }: SftpMessage): void {
    const reader = new WireReader(body);
    switch (type) {
      case sftpType.open:
        return this.#open(reader);
      case sftpType.close:
        return this.#onClose(reader);
      case sftpType.read:
        return this.#read(reader);
      case sftpType.write:
        return this.#write(reader);
      case sftpType.fsetstat:
        return this.#setHandle(reader);
      case sftpType.extended:
        return this.#extended(reader);
      default:
        return this.#onPath(type, reader);
    }
  }

  #open(reader: WireReader): void {
    const id = reader.uint32();
    const path = readPath(reader);
    this.#await(id, { opening: path });
    this.#report({ operation: 'open', path, flags: [...openFlagNames(reader.uint32())] });
  }

  #onClose(reader: WireReader): void {
    reader.uint32();
    const handle = readHandle(reader);
    const file = this.#files.get(handle);
    this.#files.delete(handle);
    if (file) this.#close(file);
  }

  #close({ path, read, written }: OpenFile): void {
    this.#report({ operation: 'close', path, read, written });
  }

  #read(reader: WireReader): void {
    const id = reader.uint32();
    const file = this.#files.get(readHandle(reader));
    if (file) this.#await(id, { reading: file });
  }

  #write(reader: WireReader): void {
    reader.uint32();
    const file = this.#files.get(readHandle(reader));
    reader.uint64();
    if (file) file.written += reader.uint32();
  }

  #setHandle(reader: WireReader): void {
    reader.uint32();
    const file = this.#files.get(readHandle(reader));
    if (file) this.#report({ operation: 'setstat', path: file.path, flags: [...attributeNames(reader.uint32())] });
  }

  #onPath(type: number, reader: WireReader): void {
    const operation = pathOperations[type];
    if (operation === undefined) return;
    reader.uint32();
    const path = readPath(reader);
    if (operation === 'setstat') this.#report({ operation, path, flags: [...attributeNames(reader.uint32())] });
    else if (operation === 'rename') this.#report({ operation, path, path2: readPath(reader) });
    // OpenSSH has the target first, against the draft.
    else if (operation === 'symlink') this.#report({ operation, path: readPath(reader), path2: path });
    else this.#report({ operation, path });
  }

  /** `uint32 id | string name | …`; the names are OpenSSH's (PROTOCOL, section 4). */
  #extended(reader: WireReader): void {
    reader.uint32();
    const name = reader.text(256);
    if (name === 'posix-rename@openssh.com' || name === 'hardlink@openssh.com') {
      const operation = name.startsWith('hardlink') ? 'link' : 'rename';
      this.#report({ operation, path: readPath(reader), path2: readPath(reader) });
    } else if (name === 'lsetstat@openssh.com') {
      const path = readPath(reader);
      this.#report({ operation: 'setstat', path, flags: [...attributeNames(reader.uint32())] });
    } else if (name === 'copy-data') {
      const from = this.#files.get(readHandle(reader))?.path ?? 'unknown';
      reader.uint64();
      reader.uint64();
      this.#report({ operation: 'copy', path: from, path2: this.#files.get(readHandle(reader))?.path ?? 'unknown' });
    }
  }

  /** Every response begins with `uint32 id`, but for the version, which answers no request. */
  #onResponse({ type, body }: SftpMessage): void {
    if (body.length < 4) return;
    const reader = new WireReader(body);
    const id = reader.uint32();
    const request = this.#awaited.get(id);
    if (!request || type < firstResponse) return;
    this.#awaited.delete(id);
    if ('opening' in request && type === sftpType.handle) {
      if (this.#files.size >= maximumOpen) throw new RangeError('too many open files');
      this.#files.set(readHandle(reader), { path: request.opening, read: 0, written: 0 });
    }
    if ('reading' in request && type === sftpType.data) request.reading.read += reader.uint32();
  }

  #await(id: number, request: Awaited): void {
    if (this.#awaited.has(id)) throw new RangeError('a request has the number of another one');
    if (this.#awaited.size >= maximumOpen) throw new RangeError('too many unanswered requests');
    this.#awaited.set(id, request);
  }

  #report(event: SftpEvent): void {
    const hold = this.emit(event);
    if (!(hold instanceof Promise)) return;
    // Should a later message of the same piece be malformed, nobody waits for this one any more.
    hold.catch(() => {});
    this.#holds.push(hold);
  }

  #takeHolds(): Hold {
    if (this.#holds.length === 0) return undefined;
    const holds = this.#holds;
    this.#holds = [];
    return Promise.all(holds).then(() => {});
  }
}

const firstResponse = 101;

const pathOperations: Readonly<Record<number, string>> = {
  [sftpType.setstat]: 'setstat',
  [sftpType.opendir]: 'list',
  [sftpType.remove]: 'remove',
  [sftpType.mkdir]: 'mkdir',
  [sftpType.rmdir]: 'rmdir',
  [sftpType.rename]: 'rename',
  [sftpType.symlink]: 'symlink',
};

const readPath = (reader: WireReader): string => reader.text(maximumPath);

const readHandle = (reader: WireReader): string => {
  const handle = reader.string();
  if (handle.length > 256) throw new RangeError('a handle is too long');
  return handle.toString('latin1');
};
