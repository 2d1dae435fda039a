import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { readTlsFiles, type TlsFiles } from '../tls-files.js';

/** What is sent to a member. */
export interface Message {
  readonly path: string;
  readonly body: unknown;
  readonly token: string | undefined;
  readonly signal: AbortSignal;
  /** For requests that go on: etcd ends them where the member has lost its leader, and would tell nothing more. */
  readonly needsLeader?: boolean;
}

/** A request that failed. Where it was not sent, it has had no effect. */
export class NotAnswered extends Error {
  constructor(
    message: string,
    readonly sent: boolean,
    cause: unknown,
  ) {
    super(message, { cause });
  }
}

/** How long files are believed to be what they were. */
const rereadMs = 30_000;
const keepAliveMs = 10_000;

/** Sends JSON over connections that stay open for the next request. */
export class Connections {
  readonly #plain = new http.Agent({ keepAlive: true, maxSockets: 64 });
  readonly #encrypted = new https.Agent({ keepAlive: true, maxSockets: 64 });
  #files: https.RequestOptions = {};
  #read = -Infinity;

  constructor(private readonly tls: TlsFiles | undefined) {}

  /** Resolves with the head of the answer. Rejects with {@link NotAnswered}. */
  send(endpoint: string, { path, body, token, signal, needsLeader }: Message): Promise<IncomingMessage> {
    const text = Buffer.from(JSON.stringify(body));
    const headers = {
      'content-type': 'application/json',
      'content-length': text.length,
      ...(token !== undefined && { authorization: token }),
      ...(needsLeader === true && { 'grpc-metadata-hasleader': 'true' }),
    };
    return new Promise((resolve, reject) => {
      let request: ClientRequest | undefined;
      const fail = (cause: unknown): void => {
        const reason = cause instanceof Error ? cause.message : String(cause);
        const sent = request?.socket?.connecting === false;
        reject(new NotAnswered(`${endpoint}: ${signal.aborted ? 'no answer in time' : reason}`, sent, cause));
      };
      try {
        const options = { method: 'POST', headers, signal };
        const url = new URL(path, endpoint);
        request =
          url.protocol === 'https:'
            ? https.request(url, { ...options, ...this.#certificates(), agent: this.#encrypted })
            : http.request(url, { ...options, agent: this.#plain });
        // A stream says nothing for hours: what lies between must not forget it, and a dead end must be found.
        request.once('socket', (socket) => socket.setKeepAlive(true, keepAliveMs));
        request.once('response', resolve);
        request.on('error', fail);
        request.end(text);
      } catch (cause) {
        fail(cause);
      }
    });
  }

  close(): void {
    this.#plain.destroy();
    this.#encrypted.destroy();
  }

  #certificates(): https.RequestOptions {
    if (performance.now() - this.#read < rereadMs) return this.#files;
    this.#files = readTlsFiles(this.tls ?? {});
    this.#read = performance.now();
    return this.#files;
  }
}
