import { writeFile } from 'node:fs/promises';
import { PosternError } from '@postern/plugin-sdk';
import type { Conversation } from './conversation.js';
import { startListener, type Listener } from './listener.js';
import type { LocalService } from './local-service.js';
import { openChannel } from './open-channel.js';
import { PrivateDirectory } from './private-directory.js';

/** What the client asked for (RFC 4254, section 6.3.1). */
export interface X11Request {
  readonly single: boolean;
  readonly protocol: string;
  /** Hexadecimal. */
  readonly cookie: string;
  readonly screen: number;
}

const firstDisplay = 10;
const lastDisplay = 1000;
const firstPort = 6000;

/** Makes the client's screen available to the login's programs. Its cookie goes into a file that only they can read. */
export async function forwardX11(conversation: Conversation, request: X11Request): Promise<LocalService> {
  const cookie = cookieOf(request);
  const directory = await PrivateDirectory.create();
  try {
    const { listener, display } = await listenForDisplay(conversation, request.single);
    const file = directory.file('Xauthority');
    await writeFile(file, authorityEntry(String(display), request.protocol, cookie), { mode: 0o600 });
    await directory.giveTo(conversation.login, file);
    return {
      env: { DISPLAY: `localhost:${display}.${request.screen}`, XAUTHORITY: file },
      close: async () => {
        await listener.close();
        await directory.remove();
      },
    };
  } catch (cause) {
    await directory.remove();
    throw cause;
  }
}

function cookieOf({ cookie, protocol, screen }: X11Request): Buffer {
  if (!/^([0-9a-f]{2}){1,64}$/i.test(cookie) || protocol !== 'MIT-MAGIC-COOKIE-1' || screen > 255)
    throw PosternError.public('invalid_argument', 'this kind of X11 authorization is not offered');
  return Buffer.from(cookie, 'hex');
}

async function listenForDisplay(
  conversation: Conversation,
  single: boolean,
): Promise<{ readonly listener: Listener; readonly display: number }> {
  const { ssh, transport } = conversation.connection;
  const limit = conversation.context.config.max_channels;
  let used = false;
  for (let display = firstDisplay; display <= lastDisplay; display += 1) {
    const listener = await startListener({ host: '127.0.0.1', port: firstPort + display }, (socket) => {
      if (single && used) throw new PosternError('limit_exceeded', 'the client allowed one connection');
      used = true;
      return openChannel(transport, limit, (callback) =>
        ssh.x11(socket.remoteAddress ?? '127.0.0.1', socket.remotePort ?? 0, callback),
      );
    }).catch(onlyWhereTaken);
    if (listener) return { listener, display };
  }
  throw PosternError.public('unavailable', 'no display number is free on this node');
}

function onlyWhereTaken(cause: NodeJS.ErrnoException): undefined {
  if (cause.code !== 'EADDRINUSE') throw cause;
}

/**
 * One entry of an Xauthority file: `u16 family | address | number | name |
 * data`, each of the last four with a u16 length. The family is the one that
 * fits every address.
 */
function authorityEntry(display: string, name: string, data: Buffer): Buffer {
  const family = Buffer.from([0xff, 0xff]);
  const fields = [Buffer.alloc(0), Buffer.from(display), Buffer.from(name), data].flatMap((field) => {
    const length = Buffer.allocUnsafe(2);
    length.writeUInt16BE(field.length);
    return [length, field];
  });
  return Buffer.concat([family, ...fields]);
}
