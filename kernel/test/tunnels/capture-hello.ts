import { execFile } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { ClientHelloReader, type ClientHello } from '../../src/tunnels/index.js';

export interface CaptureOptions {
  /** The program's arguments; it must connect to 127.0.0.1 at the given port. */
  args(port: number): readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Answers what the program says before its hello; returns how many bytes that was. */
  readonly before?: (head: Buffer, socket: net.Socket) => number;
}

export interface Captured {
  readonly bytes: Buffer;
  readonly hello: ClientHello;
  /** How many reads it came in. */
  readonly reads: number;
}

/** Starts a real client against a listener that reads its ClientHello and closes. */
export async function captureHello(program: string, options: CaptureOptions): Promise<Captured> {
  let captured: Captured | undefined;
  // Some clients would try again and again.
  const enough = (): void => void child.kill('SIGKILL');
  const server = net.createServer((socket) => {
    let head = Buffer.alloc(0);
    let reads = 0;
    let before = options.before;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      head = Buffer.concat([head, chunk]);
      reads += 1;
      const consumed = before?.(head, socket) ?? 0;
      if (consumed > 0) {
        before = undefined;
        head = head.subarray(consumed);
      }
      if (before || head.length === 0) return;
      const hello = new ClientHelloReader().read(head);
      if (hello.kind === 'more') return;
      captured ??= { bytes: head, hello, reads };
      socket.destroy();
      enough();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const child = execFile(
    program,
    [...options.args(port)],
    { timeout: 20_000, env: { ...process.env, ...options.env } },
    () => {},
  );
  child.stdin?.end();
  await once(child, 'close');
  server.close();
  await once(server, 'close');
  if (!captured) throw new Error(`${program} sent no ClientHello`);
  return captured;
}
