import http from 'node:http';
import type tls from 'node:tls';
import type { TestCluster } from '../../../../test/support/cluster.js';
import { home } from '../sessions/web-world.js';

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export interface Visit {
  readonly method?: string;
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A browser of few words: it keeps cookies, says where its forms are from, and follows nothing. */
export class TestBrowser {
  readonly cookies = new Map<string, string>();

  constructor(
    private readonly cluster: TestCluster,
    private readonly from = home,
  ) {}

  get(path: string, visit: Visit = {}): Promise<Answer> {
    return this.#ask(path, visit);
  }

  /** Sends a form as a page of the cluster would. A header with an empty value is left out. */
  post(path: string, form: Readonly<Record<string, string>>, visit: Visit = {}): Promise<Answer> {
    const origin = `https://${this.cluster.cluster}`;
    const headers = { origin, 'sec-fetch-site': 'same-origin', ...visit.headers };
    return this.#ask(path, { ...visit, method: 'POST', form, headers });
  }

  /** Opens the page of the login and sends its form. */
  async login(fields: Readonly<Record<string, string>>, path = '/web/login'): Promise<Answer> {
    return this.post(path, { token: await this.token(path), ...fields });
  }

  /** The token of the form in a page. */
  async token(path: string): Promise<string> {
    const { body } = await this.get(path);
    return /name="token" value="([^"]+)"/.exec(body)?.[1] ?? '';
  }

  async #ask(path: string, { method = 'GET', form, headers = {} }: Visit): Promise<Answer> {
    const socket = await this.cluster.connect('', '', undefined, {
      hostname: this.cluster.cluster,
      from: this.from,
      alpn: ['http/1.1'],
    });
    try {
      const answer = await request(socket, { path, method, headers: this.#headers(form, headers) }, encoded(form));
      for (const cookie of answer.headers['set-cookie'] ?? []) this.#keep(cookie);
      return answer;
    } finally {
      socket.destroy();
    }
  }

  #headers(form: Visit['form'], headers: NonNullable<Visit['headers']>): Record<string, string> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const all = {
      host: this.cluster.cluster,
      ...(cookie !== '' && { cookie }),
      ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
      ...headers,
    };
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''));
  }

  #keep(header: string): void {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(header) ?? [];
    if (header.includes('Max-Age=0')) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}

const encoded = (form: Visit['form']): string | undefined => form && new URLSearchParams(form).toString();

function request(socket: tls.TLSSocket, options: http.RequestOptions, body: string | undefined): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = http.request({ ...options, createConnection: () => socket }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const { statusCode = 0, headers } = incoming;
        resolve({ status: statusCode, headers, body: Buffer.concat(chunks).toString('utf8') });
      });
      incoming.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
