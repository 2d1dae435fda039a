import {
  inject,
  injectable,
  PosternError,
  relay,
  SessionContext,
  write,
  type ClientLink,
  type Denial,
  type Grant,
  type Session,
} from '@postern/plugin-sdk';
import { readRequestHead } from '@postern/plugin-sdk/http1';
import { ClientTap } from './client-tap.js';
import { firstHead } from './first-head.js';
import { subjectOf } from './impersonation.js';
import { Journal } from './journal.js';
import { Line } from './line.js';
import type { Kubernetes, KubernetesAsk } from './protocol.js';
import { denialResponse, failureResponse, statusObject } from './status.js';
import { TokenSource } from './token-source.js';
import { UpstreamTap } from './upstream-tap.js';
import { connectUpstream } from './upstream.js';

/**
 * One client's connection: HTTP/1.1 to and fro on one connection of its own to
 * the API server, each request decided by itself.
 */
@injectable()
export class KubernetesSession implements Session<Kubernetes> {
  /** What the client sent before it was let in. */
  #early: Buffer = Buffer.alloc(0);
  #line: Line | undefined;
  #answers: UpstreamTap | undefined;
  /** Our last words, where they are not those of a denial. */
  #lastWords: Buffer | undefined;

  constructor(@inject(SessionContext) private readonly context: SessionContext<Kubernetes>) {}

  /** Whom the client wants to be; what it wants is decided by request. */
  async open({ stream, identity }: ClientLink): Promise<KubernetesAsk> {
    return this.#remembering(async () => {
      const { head, read } = await firstHead(stream);
      this.#early = read;
      const { fields } = readRequestHead(head);
      if (!identity) throw PosternError.public('unauthenticated', 'a certificate is needed: run psh login');
      const { user, groups } = subjectOf(fields, identity);
      return { user, groups: [...groups] };
    });
  }

  async serve(client: ClientLink, grant: Grant<Kubernetes>): Promise<void> {
    await this.#remembering(() => this.#serve(client, grant));
  }

  async refuse({ stream }: ClientLink, denial: Denial): Promise<void> {
    const { conversation, turns } = this.#line ?? {};
    const own = this.context.signal.aborted ? undefined : this.#lastWords;
    if (conversation) return conversation.say(stream, JSON.stringify(statusObject(denial.code, denial.message)));
    if (this.#answers?.inWatch) return write(stream, lastEvent(denial));
    if (turns === undefined || turns.owed || own !== undefined) {
      if (this.#answers?.between === false) return;
      await write(stream, own ?? denialResponse(denial));
    }
  }

  async #serve(client: ClientLink, grant: Grant<Kubernetes>): Promise<void> {
    const { config, resource, signal, audit } = this.context;
    const tokens = new TokenSource(this.context, grant);
    await tokens.refresh();
    const recording = await this.context.record('requests', { cluster: resource.name });
    const upstream = await connectUpstream({ spec: resource.spec, config, signal, dial: () => grant.dial() });
    const line = new Line(this.context, client.connection, tokens, new Journal(audit, recording));
    const requests = new ClientTap(line, grant, { client: client.stream, upstream });
    const answers = new UpstreamTap(line, client.stream);
    this.#line = line;
    this.#answers = answers;
    try {
      await relay(client.stream, upstream, {
        fromClient: requests.tap,
        fromUpstream: answers.tap,
        head: { client: this.#early },
        signal,
      });
    } finally {
      requests.dispose();
      upstream.destroy();
      await this.#ended(line);
    }
  }

  /** What ran in both directions is over, however that came. */
  async #ended({ conversation, turns, connection, journal }: Line): Promise<void> {
    if (!conversation) return;
    const { bytesIn, bytesOut, durationMs, exit, recording } = conversation;
    await journal.write('stream', {
      connection,
      sequence: turns.pending?.sequence ?? 0,
      bytesIn,
      bytesOut,
      durationMs,
      ...(exit !== undefined && { exit }),
      recorded: recording !== undefined,
    });
    await recording?.close();
  }

  async #remembering<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (PosternError.is(cause)) this.#lastWords = failureResponse(cause);
      throw cause;
    }
  }
}

/** A watch is a list without end: the last event on it is the reason why it ends. */
function lastEvent({ code, message }: Denial): Buffer {
  const text = `${JSON.stringify({ type: 'ERROR', object: statusObject(code, message) })}\n`;
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n0\r\n\r\n`);
}
