import type { RecordedEntry } from '@postern/plugin-sdk';

/** An entry of an HTTP archive, as far as a recording knows it. */
interface HarEntry {
  readonly startedDateTime: string;
  time: number;
  request: Readonly<Record<string, unknown>>;
  response: Readonly<Record<string, unknown>>;
  readonly cache: object;
  timings: Readonly<Record<string, number>>;
  readonly connection: string;
  comment?: string;
}

/** What a recording leaves open is written as -1 and as empty lists, as the format asks. */
const nothing = { headers: [], cookies: [], headersSize: -1 };

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const numberOf = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : -1);

/** Puts an HTTP archive together (HAR 1.2, W3C draft of 2012-08-14). */
export class HarBuilder {
  readonly #entries: HarEntry[] = [];
  /** Requests that have no end yet, by connection and number. */
  readonly #open = new Map<string, HarEntry>();
  readonly #start: number;

  constructor(private readonly header: Readonly<Record<string, unknown>>) {
    const start = Date.parse(textOf(header['startedAt']));
    this.#start = Number.isNaN(start) ? 0 : start;
  }

  add(entry: RecordedEntry): void {
    const name = `${numberOf(entry['connection'])}/${numberOf(entry['sequence'])}`;
    if (entry.mark === 'request') this.#begin(name, entry);
    if (entry.mark === 'response') this.#finish(name, entry);
  }

  build(): { readonly log: Readonly<Record<string, unknown>> } {
    return {
      log: {
        version: '1.2',
        creator: { name: 'Postern', version: '0.1.0' },
        pages: [],
        entries: this.#entries,
        comment: `${textOf(this.header['user'])} at ${textOf(this.header['resource'])}`,
      },
    };
  }

  #begin(name: string, entry: RecordedEntry): void {
    const query = textOf(entry['query']);
    const host = textOf(entry['host']) || textOf(this.header['resource']);
    const agent = textOf(entry['agent']);
    const made: HarEntry = {
      startedDateTime: new Date(this.#start + entry.ms).toISOString(),
      time: 0,
      request: {
        method: textOf(entry['method']),
        url: `https://${host}${pathOf(textOf(entry['path']))}${query === '' ? '' : `?${query}`}`,
        httpVersion: 'HTTP/1.1',
        ...nothing,
        headers: agent === '' ? [] : [{ name: 'User-Agent', value: agent }],
        queryString: [...new URLSearchParams(query)].map(([key, value]) => ({ name: key, value })),
        bodySize: -1,
      },
      response: responseOf(entry),
      cache: {},
      // Of these -1 is not allowed, and their sum is the time.
      timings: { send: 0, wait: 0, receive: 0 },
      connection: String(entry['connection']),
    };
    this.#entries.push(made);
    this.#open.set(name, made);
  }

  #finish(name: string, entry: RecordedEntry): void {
    const begun = this.#open.get(name);
    if (!begun) return;
    this.#open.delete(name);
    begun.time = Math.max(0, numberOf(entry['durationMs']));
    begun.timings = { send: 0, wait: begun.time, receive: 0 };
    begun.request = { ...begun.request, bodySize: entry['status'] === 101 ? 0 : numberOf(entry['bytesIn']) };
    begun.response = responseOf(entry);
    if (entry['complete'] === false) begun.comment = 'broken off';
  }
}

/** A decoded path, perhaps cut within a character, as it stands in a URL: a question mark would begin the query. */
const pathOf = (path: string): string => encodeURI(Buffer.from(path).toString()).replace(/[?#]/g, encodeURIComponent);

/** What was sent to the client was counted with its head, for which the format has no member of its own. */
const responseOf = (entry: RecordedEntry): Readonly<Record<string, unknown>> => ({
  status: Math.max(0, numberOf(entry['status'])),
  statusText: '',
  httpVersion: 'HTTP/1.1',
  ...nothing,
  content: { size: -1, mimeType: textOf(entry['type']) },
  redirectURL: '',
  bodySize: -1,
  _transferSize: Math.max(0, numberOf(entry['bytesOut'])),
});
