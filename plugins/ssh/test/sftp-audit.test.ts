import assert from 'node:assert/strict';
import fc from 'fast-check';
import { SftpAudit, type SftpEvent } from '../src/sftp-audit.js';
import { SftpFramer, sftpType } from '../src/sftp-wire.js';
import { WireWriter } from '../src/wire.js';

const message = (type: number, body: Buffer): Buffer =>
  new WireWriter()
    .uint32(1 + body.length)
    .byte(type)
    .raw(body)
    .end();
const open = (id: number, path: string, flags = 1): Buffer =>
  message(sftpType.open, new WireWriter().uint32(id).string(path).uint32(flags).uint32(0).end());
const handle = (id: number, name: string): Buffer =>
  message(sftpType.handle, new WireWriter().uint32(id).string(name).end());
const close = (id: number, name: string): Buffer =>
  message(sftpType.close, new WireWriter().uint32(id).string(name).end());
const write = (id: number, name: string, bytes: number): Buffer =>
  message(sftpType.write, new WireWriter().uint32(id).string(name).uint64(0n).string(Buffer.alloc(bytes)).end());
const read = (id: number, name: string): Buffer =>
  message(sftpType.read, new WireWriter().uint32(id).string(name).uint64(0n).uint32(32_768).end());
const data = (id: number, bytes: number): Buffer =>
  message(sftpType.data, new WireWriter().uint32(id).string(Buffer.alloc(bytes)).end());
const status = (id: number): Buffer => message(101, new WireWriter().uint32(id).uint32(1).string('').string('').end());
const twoPaths = (type: number, a: string, b: string): Buffer =>
  message(type, new WireWriter().uint32(9).string(a).string(b).end());
const extended = (name: string, ...paths: readonly string[]): Buffer => {
  const writer = new WireWriter().uint32(9).string(name);
  for (const path of paths) writer.string(path);
  return message(sftpType.extended, writer.end());
};

interface Read {
  readonly events: SftpEvent[];
  fromClient(bytes: Buffer): void;
  fromServer(bytes: Buffer): void;
  end(): void;
}

/** A reader whose events are stored at once. */
function audit(): Read {
  const events: SftpEvent[] = [];
  const reader = new SftpAudit((event) => void events.push(event));
  return {
    events,
    fromClient: (bytes) => assert.equal(reader.fromClient(bytes), undefined),
    fromServer: (bytes) => reader.fromServer(bytes),
    end: () => assert.equal(reader.end(), undefined),
  };
}

describe('the reader of an SFTP stream', () => {
  const requests = Buffer.concat([
    message(1, new WireWriter().uint32(3).end()),
    open(1, '/a', 0b11010),
    write(2, 'h1', 1000),
    close(3, 'h1'),
    twoPaths(sftpType.rename, '/a', '/b'),
    twoPaths(sftpType.symlink, '/target', '/link'),
    extended('posix-rename@openssh.com', '/b', '/c'),
    extended('hardlink@openssh.com', '/c', '/d'),
    extended('statvfs@openssh.com', '/'),
  ]);
  const events: readonly SftpEvent[] = [
    { operation: 'open', path: '/a', flags: ['write', 'create', 'truncate'] },
    { operation: 'rename', path: '/a', path2: '/b' },
    { operation: 'symlink', path: '/link', path2: '/target' },
    { operation: 'rename', path: '/b', path2: '/c' },
    { operation: 'link', path: '/c', path2: '/d' },
  ];

  it('finds the same in pieces of every size', () => {
    for (let size = 1; size <= requests.length; size += 1) {
      const reader = audit();
      for (let at = 0; at < requests.length; at += size) reader.fromClient(requests.subarray(at, at + size));
      assert.deepEqual(reader.events, events, `pieces of ${size}`);
    }
  });

  it('counts what was written and read, by file', () => {
    const reader = audit();
    reader.fromServer(message(2, new WireWriter().uint32(3).end()));
    reader.fromClient(open(1, '/a', 0b11010));
    reader.fromServer(handle(1, 'h1'));
    reader.fromClient(write(2, 'h1', 1000));
    reader.fromClient(write(3, 'h1', 500));
    reader.fromClient(close(4, 'h1'));
    reader.fromClient(open(5, '/b'));
    reader.fromServer(handle(5, 'h1'));
    reader.fromClient(read(6, 'h1'));
    reader.fromServer(data(6, 700));
    reader.fromClient(read(7, 'h1'));
    reader.fromServer(status(7));
    reader.end();
    assert.deepEqual(
      reader.events.filter(({ operation }) => operation === 'close'),
      [
        { operation: 'close', path: '/a', read: 0, written: 1500 },
        { operation: 'close', path: '/b', read: 700, written: 0 },
      ],
    );
  });

  it('passes on what it must wait for, all of it', async () => {
    let settle = (): void => {};
    const reader = new SftpAudit(() => new Promise((resolve) => (settle = resolve)));
    const hold = reader.fromClient(open(1, '/a'));
    assert.ok(hold instanceof Promise);
    settle();
    await hold;
    assert.equal(reader.fromClient(read(2, 'h')), undefined);
  });

  const malformed: readonly [name: string, bytes: Buffer][] = [
    ['of no length', Buffer.alloc(4)],
    ['longer than the server takes', new WireWriter().uint32(256 * 1024 + 1).end()],
    ['whose path is longer than any', open(1, '/'.repeat(5000))],
    ['whose path is not all there', message(sftpType.remove, new WireWriter().uint32(1).uint32(99).end())],
    ['with the number of one that is not answered', Buffer.concat([open(1, '/a'), open(1, '/b')])],
    ['with a handle that is too long', close(1, 'h'.repeat(300))],
  ];
  for (const [name, bytes] of malformed)
    it(`ends a transfer with a message ${name}`, () => assert.throws(() => audit().fromClient(bytes), RangeError));

  it('does not fail with anything but a RangeError', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (pieces) => {
        const reader = audit();
        try {
          for (const piece of pieces) {
            reader.fromClient(Buffer.from(piece));
            reader.fromServer(Buffer.from(piece));
          }
        } catch (cause) {
          assert.ok(cause instanceof RangeError);
        }
      }),
    );
  });

  it('keeps little of a message, however long', () => {
    const lengths: number[] = [];
    const framer = new SftpFramer(({ body }) => void lengths.push(body.length));
    framer.push(write(1, 'h', 200_000));
    framer.push(message(sftpType.open, Buffer.alloc(100_000)));
    assert.deepEqual(lengths, [299, 16 * 1024 - 1]);
  });
});
