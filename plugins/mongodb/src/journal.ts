import type { AuditPort, EventCatalog, Hold, Recording } from '@postern/plugin-sdk';
import { elementsOf, spanOf } from './bson-elements.js';
import { isSecretive } from './command-class.js';
import type { SentCommand } from './pending.js';
import type { Place } from './place-list.js';
import { classOf, type Mongodb } from './protocol.js';
import type { ReplyFields } from './reply-fields.js';
import { documentsOf, type Request } from './request.js';
import { StatementText } from './statement-text.js';

export interface JournalOptions {
  readonly audit: AuditPort<Mongodb['audit']>;
  readonly recording: Recording;
  readonly maxStatementBytes: number;
}

/** What a connection did, in the audit log and in the session's recording: each command, and its result. */
export class Journal {
  #sequence = 0;

  constructor(private readonly options: JournalOptions) {}

  get sequence(): number {
    return this.#sequence;
  }

  /** Reports a command before it goes on. */
  sent(request: Request, places: readonly Place[]): Hold {
    const { name, data } = request;
    const shown = isSecretive(name) ? undefined : this.#text(request);
    const documents = countOf(request);
    return this.#emit('command', {
      sequence: (this.#sequence += 1),
      command: name.slice(0, 128),
      ...placesFields(request, places),
      statement: shown?.text ?? '[masked]',
      ...(documents !== undefined && { documents }),
      bytes: data.length,
      ...((shown?.truncated === true || places.length > maxOthers) && { truncated: true }),
    });
  }

  answered({ sequence, started }: SentCommand, fields: ReplyFields): Hold {
    const { ok, code, errmsg, n, documents, rejected } = fields;
    return this.#emit('result', {
      sequence,
      outcome: ok === 1 ? 'completed' : 'failed',
      ...(documents !== undefined && { documents }),
      ...(n !== undefined && Number.isFinite(n) && { affected: n }),
      ...(rejected !== undefined && { rejected }),
      ...(ok !== 1 && code !== undefined && Number.isInteger(code) && { error: code }),
      ...(ok !== 1 && errmsg !== undefined && { message: errmsg }),
      durationMs: Math.round((performance.now() - started) * 1000) / 1000,
    });
  }

  unanswered({ sequence }: SentCommand): Hold {
    return this.#emit('result', { sequence, outcome: 'unanswered' });
  }

  #text({ data, body, sequences }: Request): StatementText {
    const shown = new StatementText(this.options.maxStatementBytes).command(data, body);
    for (const { identifier, start, end } of sequences) shown.sequence(data, identifier, { start, end });
    return shown;
  }

  #emit(name: keyof Mongodb['audit'], fields: Readonly<Record<string, unknown>>): Hold {
    const audit: Pick<AuditPort<EventCatalog>, 'emit'> = this.options.audit;
    const held = [this.options.recording.mark(name, fields), audit.emit(name, fields)].filter(
      (hold) => hold instanceof Promise,
    );
    if (held.length > 0) return Promise.all(held).then(() => undefined);
  }
}

/** How many places an event names beside the first. */
const maxOthers = 20;

function placesFields({ name, database }: Request, [main, ...others]: readonly Place[]) {
  const collection = main?.collection;
  return {
    class: main?.class ?? classOf(name),
    database: main?.database ?? database.slice(0, 64),
    ...(collection !== undefined && { collection }),
    ...(others.length > 0 && { others: others.slice(0, maxOthers).map(placeName) }),
  };
}

const placeName = ({ database, collection }: Place): string =>
  collection === undefined ? database : `${database}.${collection}`;

/** In which the documents and operations of writes are, beside the body or in it. */
const lists = new Set(['documents', 'updates', 'deletes', 'ops']);

function countOf({ data, fields, sequences }: Request): number | undefined {
  for (const { identifier, ...span } of sequences) if (lists.has(identifier)) return lengthOf(documentsOf(data, span));
  for (const name of lists) {
    const span = spanOf(data, fields.get(name));
    if (span) return lengthOf(elementsOf(data, span));
  }
  return undefined;
}

/** No server takes more at once. */
const maxCounted = 100_000;

/** How many there are; nothing where that is more than anybody needs to count. */
function lengthOf(items: Iterable<unknown>): number | undefined {
  let count = 0;
  for (const item of items) {
    if (item) count += 1;
    if (count > maxCounted) return undefined;
  }
  return count;
}
