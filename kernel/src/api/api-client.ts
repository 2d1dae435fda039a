import http2 from 'node:http2';
import { createInterface } from 'node:readline';
import type { Duplex, Readable } from 'node:stream';
import { errorCodes, PosternError, type ErrorCode } from '@postern/plugin-sdk';
import type { Endpoint, InputOf, OutputOf } from './contract/index.js';

/** Opens the stream that HTTP/2 runs on: mutual TLS to the Auth Service, or the socket in the data directory. */
export type Connect = () => Promise<Duplex>;

/** Calls the API over one HTTP/2 connection, which is opened at the first call. */
export class ApiClient implements AsyncDisposable {
  #session: Promise<http2.ClientHttp2Session> | undefined;

  constructor(
    private readonly authority: string,
    private readonly connect: Connect,
  ) {}

  /** Makes a call. Rejects with the PosternError that the server answered, or with `unavailable`. */
  async call<E extends Endpoint>(endpoint: E, input: InputOf<E>): Promise<OutputOf<E>> {
    const body = await text(await this.#request(endpoint, input));
    return endpoint.output.parse(JSON.parse(body)) as OutputOf<E>;
  }

  /** The lines of a streaming endpoint. Breaking out of the loop ends the call. */
  async *stream<E extends Endpoint>(endpoint: E, input: InputOf<E>): AsyncGenerator<OutputOf<E>> {
    const answer = await this.#request(endpoint, input);
    try {
      for await (const line of createInterface({ input: answer, crlfDelay: Infinity }))
        if (line !== '') yield endpoint.output.parse(JSON.parse(line)) as OutputOf<E>;
    } finally {
      answer.destroy();
    }
  }

  /** The body of an endpoint that answers with bytes. */
  async bytes<E extends Endpoint>(endpoint: E, input: InputOf<E>): Promise<Readable> {
    return this.#request(endpoint, input);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const session = await this.#session?.catch(() => undefined);
    if (!session || session.destroyed) return;
    await new Promise<void>((resolve) => {
      session.once('close', resolve);
      session.destroy();
    });
  }

  async #request(endpoint: Endpoint, input: Readonly<Record<string, unknown>>): Promise<http2.ClientHttp2Stream> {
    const session = await (this.#session ??= this.#open());
    const { path, body } = encode(endpoint, input);
    const stream = session.request({
      ':method': endpoint.method,
      ':path': path,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    });
    stream.end(body);
    const status = await new Promise<number>((resolve, reject) => {
      stream.once('response', (headers) => resolve(Number(headers[':status'])));
      stream.once('error', (cause) => reject(lost(cause)));
      stream.once('close', () => reject(lost(undefined)));
    });
    stream.on('error', () => {});
    if (status >= 400) throw refusal(await text(stream), status);
    return stream;
  }

  async #open(): Promise<http2.ClientHttp2Session> {
    const socket = await this.connect();
    const session = http2.connect(this.authority, { createConnection: () => socket });
    session.on('error', () => (this.#session = undefined));
    session.once('close', () => (this.#session = undefined));
    return session;
  }
}

const lost = (cause: unknown): PosternError =>
  PosternError.public('unavailable', 'the connection to the Auth Service was lost', cause);

function encode(
  { method, path, input: schema }: Endpoint,
  input: Readonly<Record<string, unknown>>,
): { readonly path: string; readonly body?: string } {
  const rest = new Map(Object.entries(input).filter(([name, value]) => value !== undefined && name in schema.shape));
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = rest.get(name);
    rest.delete(name);
    return encodeURIComponent(String(value));
  });
  if (method === 'POST' || method === 'PUT') return { path: filled, body: JSON.stringify(Object.fromEntries(rest)) };
  const query = new URLSearchParams(
    [...rest].map(([name, value]): [string, string] => [name, String(value)]),
  ).toString();
  return { path: query === '' ? filled : `${filled}?${query}` };
}

async function text(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function refusal(body: string, status: number): PosternError {
  try {
    const { error } = JSON.parse(body) as { error: { code: string; message: string } };
    const code = errorCodes.find((known) => known === error.code) satisfies ErrorCode | undefined;
    return PosternError.public(code ?? 'internal', error.message);
  } catch {
    return PosternError.public('unavailable', `the Auth Service answered ${status}`);
  }
}
