import { readFunctionCall, textOf, type BindMessage } from './client-messages.js';
import type { EventFields, Journal } from './journal.js';
import type { LongMessage } from './long-message.js';
import type { Found } from './name-table.js';
import { noLimits, showParameters, type ParameterLimits } from './parameters.js';
import { statementFrom, type Statement } from './statement.js';

export interface StatementLimits {
  /** How much of a text, and of all parameters together, an event shows. */
  readonly maxStatementBytes: number;
  /** How much of one parameter an event shows. */
  readonly maxParameterBytes: number;
}

/** A message as far as it is held: `body` is its beginning, `long` followed the rest. */
export interface Held {
  readonly body: Buffer;
  readonly length: number;
  readonly long: LongMessage | undefined;
}

/** Writes what clients send to the journal: limited in events, whole in the recording. */
export class StatementLog {
  readonly #parameterLimits: ParameterLimits;

  constructor(
    private readonly journal: Journal,
    private readonly limits: StatementLimits,
  ) {
    this.#parameterLimits = { each: limits.maxParameterBytes, total: limits.maxStatementBytes };
  }

  /** The text from `from` to `to` of a message. */
  statement({ body, long }: Held, from: number, to: number): Statement {
    const limit = this.limits.maxStatementBytes;
    if (long?.text && to === body.length) return long.text.end(body, from, limit);
    return statementFrom(body, from, to, limit);
  }

  /** A simple query, whose text ends at `to`. Returns its number. */
  query(held: Held, to: number): number {
    const sequence = held.long?.sequence ?? this.journal.next();
    const statement = this.statement(held, 0, to);
    const fields = { sequence, protocol: 'simple', ...textFields(statement) } as const;
    this.journal.write('query', fields, wholeText(fields, held, 0, to));
    return sequence;
  }

  /** A prepared statement. `held` is its Parse, with the text from `from` to `to`, where events show only a part of it. */
  prepare(name: string, statement: Statement, held?: Held & { readonly from: number; readonly to: number }): number {
    const sequence = held?.long?.sequence ?? this.journal.next();
    const fields = { sequence, name, ...textFields(statement) };
    this.journal.write('prepare', fields, held ? wholeText(fields, held, held.from, held.to) : fields);
    return sequence;
  }

  /** A statement with its parameters, about to be run. */
  bind(held: Held, { value: statement, others, doubtful }: Found<Statement>, message: BindMessage): number {
    const sequence = held.long?.sequence ?? this.journal.next();
    const texts = {
      sequence,
      protocol: 'extended',
      ...(message.statement !== '' && { name: readable(message.statement) }),
      ...(statement && textFields(statement)),
      ...(others.length > 0 && { alternatives: others.slice(0, 16).flatMap(({ shown }) => shown ?? []) }),
      ...(doubtful && { doubtful }),
    } as const;
    this.#write('query', texts, held, message);
    return sequence;
  }

  /** A portal that no Bind made: a cursor that SQL declared. */
  cursor(portal: string): number {
    const sequence = this.journal.next();
    this.journal.write('query', { sequence, protocol: 'extended', portal: readable(portal) });
    return sequence;
  }

  /** A call of a function by its number. */
  call(held: Held): number {
    const sequence = held.long?.sequence ?? this.journal.next();
    const message = readFunctionCall(held.body, held.long === undefined);
    this.#write('call', { sequence, function: message.function }, held, message);
    return sequence;
  }

  #write<N extends 'query' | 'call'>(
    name: N,
    fields: EventFields<N>,
    { body, length, long }: Held,
    message: Pick<BindMessage, 'parameters' | 'count'>,
  ): void {
    if (message.count === 0 && !long) return this.journal.write(name, fields);
    const shown = showParameters(body, message, this.#parameterLimits);
    if (!shown.cut && !long) return this.journal.write(name, { ...fields, ...shown.fields });
    const cut = { parameterBytes: length, truncated: true, ...(long && { parametersSha256: long.digest() }) };
    const whole = showParameters(body, message, noLimits);
    this.journal.write(name, { ...fields, ...shown.fields, ...cut }, { ...fields, ...whole.fields, ...cut });
  }
}

/** Names are kept by their bytes; people read them as UTF-8. */
const readable = (name: string): string => textOf(Buffer.from(name, 'latin1'), 0, name.length);

function textFields({ shown, bytes, sha256 }: Statement): Partial<EventFields<'prepare'>> {
  return {
    ...(shown !== undefined && { statement: shown }),
    statementBytes: bytes,
    ...(sha256 !== undefined && { statementSha256: sha256, truncated: true }),
  };
}

/** What the recording shows of a text: all of it, unless its pieces are there already. */
function wholeText(
  fields: object & { truncated?: boolean | undefined },
  held: Held,
  from: number,
  to: number,
): Record<string, unknown> {
  return fields.truncated && !held.long ? { ...fields, statement: textOf(held.body, from, to) } : { ...fields };
}
