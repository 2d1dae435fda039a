import type { Duplex } from 'node:stream';
import type { Hold, Recording } from '@postern/plugin-sdk';
import type { Channel, FramingReader } from './channel.js';
import { dataFrame, SpdyReader, SpdyStreams } from './spdy-reader.js';
import { closeFrame, serverMessage, WebSocketReader } from './websocket-reader.js';

const maxKept = 16_384;

/**
 * What runs in both directions once a connection has changed its protocol.
 * Counts bytes; follows the framing of `exec` and `attach`, for the recording
 * and the exit code. What is typed is not recorded: programs echo it where it
 * is no secret.
 */
export class Conversation {
  bytesIn = 0;
  bytesOut = 0;
  readonly #began = performance.now();
  readonly #client: FramingReader | undefined;
  readonly #server: FramingReader | undefined;
  readonly #streams = new SpdyStreams();
  readonly #kept: Partial<Record<Channel, Buffer>> = {};
  #exit: string | undefined;

  constructor(
    private readonly protocol: string,
    followed: boolean,
    readonly recording: Recording | undefined,
  ) {
    if (!followed) return;
    const sink = (channel: Channel, data: Buffer, last: boolean): Hold => this.#carried(channel, data, last);
    const webSocket = protocol === 'websocket';
    this.#client = webSocket ? new WebSocketReader(true, sink) : new SpdyReader('client', this.#streams, sink);
    this.#server = webSocket ? new WebSocketReader(false, sink) : new SpdyReader('server', this.#streams, sink);
  }

  fromClient(chunk: Buffer): Hold {
    this.bytesIn += chunk.length;
    return this.#client?.take(chunk);
  }

  fromServer(chunk: Buffer): Hold {
    this.bytesOut += chunk.length;
    return this.#server?.take(chunk);
  }

  /** How the command ended, where the server has said so. */
  get exit(): string | undefined {
    return this.#exit;
  }

  get durationMs(): number {
    return Math.round(performance.now() - this.#began);
  }

  /** Tells the client why it is over, where a frame can stand: kubectl prints the message of the status. */
  say(client: Duplex, status: string): void {
    if (!this.#server?.between) return;
    if (this.protocol === 'websocket') client.write(Buffer.concat([serverMessage(3, status), closeFrame]));
    else if (this.#streams.errors !== undefined) client.write(dataFrame(this.#streams.errors, status));
  }

  #carried(channel: Channel, data: Buffer, last: boolean): Hold {
    if (channel === 'stdout' || channel === 'stderr')
      return data.length > 0 ? this.recording?.write('out', data) : undefined;
    if (channel === 'stdin') return undefined;
    const kept = Buffer.concat([this.#kept[channel] ?? Buffer.alloc(0), data]);
    this.#kept[channel] = kept.subarray(0, maxKept);
    if (channel === 'resize') return this.#resized(last || kept.includes(0x7d));
    this.#readExit();
  }

  #resized(whole: boolean): Hold {
    if (!whole) return undefined;
    const text = this.#kept.resize?.toString() ?? '';
    this.#kept.resize = Buffer.alloc(0);
    // One object after another; the last one counts.
    const found = /\{[^{}]*\}\s*$/.exec(text)?.[0];
    const size = found === undefined ? undefined : objectOf(found);
    const { Width: columns, Height: rows } = size ?? {};
    if (typeof columns !== 'number' || typeof rows !== 'number' || !isSize(columns) || !isSize(rows)) return undefined;
    return this.recording?.mark('resize', { columns, rows });
  }

  #readExit(): void {
    const status = objectOf(this.#kept.error?.toString() ?? '');
    if (!status) return;
    if (status['status'] === 'Success') this.#exit = 'Success';
    else
      this.#exit =
        exitCode(status) ?? (typeof status['reason'] === 'string' ? status['reason'].slice(0, 64) : 'Failure');
  }
}

const isSize = (value: number): boolean => Number.isInteger(value) && value > 0 && value <= 65_535;

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** The exit code in the causes of a status (`NonZeroExitCode` in k8s.io/client-go). */
function exitCode({ details }: Readonly<Record<string, unknown>>): string | undefined {
  const { causes } = (details ?? {}) as { readonly causes?: unknown };
  if (!Array.isArray(causes)) return undefined;
  const all = causes as readonly ({ readonly reason?: unknown; readonly message?: unknown } | null)[];
  const code = all.find((one) => one?.reason === 'ExitCode')?.message;
  return typeof code === 'string' ? code.slice(0, 16) : undefined;
}
