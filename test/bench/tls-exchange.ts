import { once } from 'node:events';
import tls from 'node:tls';

export interface TlsTarget extends tls.ConnectionOptions {
  readonly port: number;
}

/** Opens a TLS connection, sends one thing, and closes it after the first answer, which must begin as is said. */
export async function tlsExchange(target: TlsTarget, sent: string, answer: string): Promise<void> {
  const socket = tls.connect({ host: '127.0.0.1', rejectUnauthorized: false, ...target });
  await once(socket, 'secureConnect');
  socket.write(sent);
  const [data] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  if (!data.toString('latin1').startsWith(answer)) throw new Error(`answered ${data.toString('latin1').slice(0, 200)}`);
}
