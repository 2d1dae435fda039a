import type { Hold, SessionContext } from '@postern/plugin-sdk';
import type { Conversation } from './conversation.js';
import { Turns, type Exchange } from './exchange.js';
import type { Subject } from './impersonation.js';
import type { Journal } from './journal.js';
import type { Kubernetes } from './protocol.js';
import type { TokenSource } from './token-source.js';

/** What both directions of one connection share. */
export class Line {
  readonly turns = new Turns();
  /** What runs in both directions, once the connection has changed its protocol. */
  conversation: Conversation | undefined;

  constructor(
    readonly context: SessionContext<Kubernetes>,
    readonly connection: number,
    readonly tokens: TokenSource,
    readonly journal: Journal,
  ) {}

  /** Records a request. It may be sent when this has settled. */
  requested({ sequence, method, request, command }: Exchange, { user, groups, chosen }: Subject): Hold {
    const who = { user, groups: [...groups], ...(chosen && { chosen }) };
    const where = { connection: this.connection, sequence, method };
    if (request.kind === 'path') return this.journal.write('request', { ...where, path: request.path, ...who });
    const { verb, resource, namespace, name } = request;
    return this.journal.write('request', {
      ...where,
      verb,
      resource,
      ...(namespace !== '' && { namespace }),
      ...(name !== '' && { name }),
      ...who,
      ...(command && {
        ...(command.container !== '' && { container: command.container }),
        command: [...command.command],
        tty: command.terminal,
        stdin: command.stdin,
        ...(command.truncated && { truncated: true }),
      }),
    });
  }

  /** Records how a request was answered. */
  answered({ sequence, began }: Exchange, status: number, stream?: string): Hold {
    return this.journal.write('response', {
      connection: this.connection,
      sequence,
      status,
      durationMs: Math.round((performance.now() - began) * 10) / 10,
      ...(stream !== undefined && { stream }),
    });
  }
}
