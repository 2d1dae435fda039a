import { loopback, type Loopback } from '@postern/plugin-sdk/testing';

/** A server that sends everything back, and ends when its client has ended. */
export const echoServer = (): Promise<Loopback> => loopback((socket) => void socket.pipe(socket));
