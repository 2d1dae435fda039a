import type { Grant, SessionContext, ClientLink } from '@postern/plugin-sdk';
import type { HeaderFields } from '@postern/plugin-sdk/http1';
import { AssertionSource } from './assertion-source.js';
import type { ClientRequest } from './client-request.js';
import { requestFields } from './forwarded-headers.js';
import type { Journal, RequestFields } from './journal.js';
import type { Https } from './protocol.js';
import { readRequestPath, type RequestPath } from './request-path.js';
import { hostOf } from './upstream.js';

export interface AdmissionOptions {
  readonly context: SessionContext<Https>;
  readonly grant: Grant<Https>;
  readonly client: ClientLink;
  readonly journal: Journal;
  /** Values of the resource's `secret_headers`. */
  readonly secrets: Readonly<Record<string, string>>;
}

/** A request that was decided and recorded, ready to be forwarded. */
export interface Admitted {
  readonly path: string;
  readonly fields: HeaderFields;
  readonly sequence: number;
  readonly began: number;
}

/** Decides and records the requests of one connection. */
export class Admission {
  readonly #assertions: AssertionSource;
  readonly #host: string;
  #sequence = 0;

  constructor(private readonly options: AdmissionOptions) {
    const { grant, context } = options;
    const { spec, name } = context.resource;
    this.#host = hostOf(spec);
    this.#assertions = new AssertionSource(grant.credentials, spec.assertion.audience ?? name);
  }

  /** Rejects where a request must not be forwarded. */
  async admit(wanted: ClientRequest): Promise<Admitted> {
    const { context, grant, journal } = this.options;
    const { head } = wanted;
    const { spec } = context.resource;
    const began = performance.now();
    const path = readRequestPath(head.target, spec.path_parameters);
    for (const reading of path.readings) {
      const hold = grant.check({ method: head.method, path: reading });
      if (hold) await hold;
    }
    const sequence = (this.#sequence += 1);
    const hold = journal.request(this.#shown(wanted, path, sequence));
    if (hold) await hold;
    const fields = requestFields(head, {
      host: this.#host,
      user: grant.identity.user,
      source: this.options.client.source,
      more: await this.#more(),
    });
    return { path: `${spec.path_prefix ?? ''}${path.forwarded}`, fields, sequence, began };
  }

  async #more(): Promise<Readonly<Record<string, string>>> {
    const { headers, assertion } = this.options.context.resource.spec;
    const added = { ...headers, ...this.options.secrets };
    return assertion.enabled ? { ...added, [assertion.header]: await this.#assertions.current() } : added;
  }

  /** What the audit log tells of a request. */
  #shown({ head, websocket }: ClientRequest, { readings: [path], query }: RequestPath, sequence: number) {
    const { context, client } = this.options;
    const shown = query?.slice(0, context.config.max_query_characters);
    const host = head.fields.get('host');
    const agent = head.fields.get('user-agent');
    return {
      connection: client.connection,
      sequence,
      method: head.method,
      path,
      ...(shown !== undefined && shown !== '' && { query: shown }),
      ...(host !== undefined && { host: host.slice(0, 256) }),
      ...(agent !== undefined && { agent: agent.slice(0, 256) }),
      ...(websocket && { upgrade: 'websocket' as const }),
      ...(shown !== query && { truncated: true }),
    } satisfies RequestFields;
  }
}
