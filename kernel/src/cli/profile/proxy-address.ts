import { PosternError } from '@postern/plugin-sdk';

const defaultPort = 3080;

/** Reads `host`, `host:port` or `[v6]:port`. Throws `invalid_argument`. */
export function proxyAddress(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text);
  const port = Number(match?.[3] ?? defaultPort);
  if (!match || port < 1 || port > 65_535)
    throw PosternError.public('invalid_argument', `${JSON.stringify(text)} is no address: write host:port`);
  return { host: (match[1] ?? match[2] ?? '').toLowerCase(), port };
}

export const addressText = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
