import net from 'node:net';
import { join, resolve } from 'node:path';
import { PosternError } from '@postern/plugin-sdk';
import { ApiClient } from '../../api/api-client.js';
import { withClient } from '../psh/with-client.js';
import { findConfiguration } from './find-configuration.js';

/** Where an administrator's command finds the cluster. */
export interface AdminOptions {
  readonly data?: string;
  /** Use the login of psh. */
  readonly proxy?: boolean;
  readonly cluster?: string;
}

/** The data directory that a command means: told, configured here, or the default. */
export async function dataDirectory({ data }: AdminOptions): Promise<string> {
  const told = data ?? process.env['POSTERN_DATA'];
  if (told !== undefined) return resolve(told);
  return (await findConfiguration(undefined)).configuration.data;
}

/** Runs with a client of the API that has an administrator's rights, and closes it. */
export async function withAdmin<T>(options: AdminOptions, use: (client: ApiClient) => Promise<T>): Promise<T> {
  if (options.proxy === true) return withClient(options.cluster, use);
  const path = join(await dataDirectory(options), 'admin.sock');
  await using client = new ApiClient('http://localhost', () => connect(path));
  return await use(client);
}

function connect(path: string): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path });
    const fail = (cause: NodeJS.ErrnoException): void => reject(notThere(path, cause));
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

function notThere(path: string, cause: NodeJS.ErrnoException): PosternError {
  const reason =
    cause.code === 'EACCES'
      ? `${path} belongs to another user: run this as the one who started postern`
      : `nothing listens on ${path}: start it with postern start, or say where its data is with --data`;
  return PosternError.public('unavailable', `${reason}; from elsewhere, log in with psh and use --proxy`, cause);
}
