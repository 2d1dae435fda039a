import { readFunctionCall, type BindMessage, type Parameters } from './client-messages.js';
import { asBytes, type ClientText } from './client-text.js';
import type { EventFields, Journal } from './journal.js';
import type { LongMessage } from './long-message.js';
import type { Found } from './name-table.js';
import { showParameters, type ParameterLimits } from './parameters.js';
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
    private readonly reader: ClientText,
  ) {
    this.#parameterLimits = { each: limits.maxParameterBytes, total: limits.maxStatementBytes, reader };
  }

  /** The text from `from` to `to` of a message. */
  statement({ body, long }: Held, from: number, to: number): Statement {
    const limit = this.limits.maxStatementBytes;
    if (long?.text && to === body.length) return long.text.end(body, from, limit);
    return statementFrom(body, from, to, { reader: this.reader, limit });
  }

  /** A simple query, whose text ends at `to`. Returns its number. */
  query(held: Held, to: number): number {
    const sequence = this.#number(held);
    const fields: QueryFields = { sequence, protocol: 'simple' };
    addText(fields, this.statement(held, 0, to));
    this.journal.write('query', fields, this.#wholeText(fields, held, 0, to));
    return sequence;
  }

  /** A prepared statement. `held` is its Parse, with the text from `from` to `to`, where events show only a part of it. */
  prepare(name: string, statement: Statement, held?: Held & { readonly from: number; readonly to: number }): number {
    const sequence = this.#number(held);
    const fields: EventFields<'prepare'> = { sequence, name: this.#readable(name) };
    addText(fields, statement);
    this.journal.write('prepare', fields, held && this.#wholeText(fields, held, held.from, held.to));
    return sequence;
  }

  /** A statement with its parameters, about to be run. */
  bind(held: Held, { value: statement, others, doubtful }: Found<Statement>, message: BindMessage): number {
    const sequence = this.#number(held);
    const fields: QueryFields = { sequence, protocol: 'extended' };
    if (message.statement !== '') fields.name = this.#readable(message.statement);
    if (statement) addText(fields, statement);
    if (others.length > 0) fields.alternatives = others.slice(0, 16).flatMap(({ shown }) => shown ?? []);
    if (doubtful) fields.doubtful = true;
    this.#write('query', fields, held, message.parameters);
    return sequence;
  }

  /** A portal that no Bind made: a cursor that SQL declared. */
  cursor(portal: string): number {
    const sequence = this.journal.next();
    this.journal.write('query', { sequence, protocol: 'extended', portal: this.#readable(portal) });
    return sequence;
  }

  /** A call of a function by its number. */
  call(held: Held): number {
    const sequence = this.#number(held);
    const message = readFunctionCall(held.body, held.long === undefined);
    this.#write('call', { sequence, function: message.function }, held, message.parameters);
    return sequence;
  }

  #number(held: Held | undefined): number {
    return held?.long?.sequence ?? this.journal.next();
  }

  #write<N extends 'query' | 'call'>(name: N, fields: EventFields<N>, held: Held, parameters: Parameters): void {
    const { body, length, long } = held;
    if (parameters.count > 0) this.#declare(fields);
    if (parameters.count === 0 && !long) return this.journal.write(name, fields);
    const cut = showParameters(fields, body, parameters, this.#parameterLimits);
    if (!cut && !long) return this.journal.write(name, fields);
    const missing = { parameterBytes: length, truncated: true, ...(long && { parametersSha256: long.digest() }) };
    const whole: EventFields<N> = { ...fields, ...missing, binary: undefined };
    showParameters(whole, body, parameters, { ...this.#parameterLimits, each: Infinity, total: Infinity });
    this.journal.write(name, { ...fields, ...missing }, whole);
  }

  /** What the recording shows of a text where events do not show all; its pieces are there already where it was long. */
  #wholeText(
    fields: QueryFields | EventFields<'prepare'>,
    held: Held,
    from: number,
    to: number,
  ): Readonly<Record<string, unknown>> | undefined {
    if (!fields.truncated || held.long) return undefined;
    return { ...fields, statement: this.reader.read(held.body, from, to).text };
  }

  /** Names are kept by their bytes; people read them in the client's encoding. */
  #readable(name: string): string {
    return name === '' ? '' : this.reader.read(Buffer.from(name, 'latin1'), 0, name.length).text;
  }

  /** Parameters are read in the encoding of now, whatever the text was read in. */
  #declare(fields: { encoding?: string | undefined }): void {
    const { encoding } = this.reader;
    if (encoding !== undefined && fields.encoding !== asBytes) fields.encoding = encoding;
  }
}

type QueryFields = EventFields<'query'>;

function addText(fields: QueryFields | EventFields<'prepare'>, { shown, bytes, sha256, encoding }: Statement): void {
  if (encoding !== undefined) fields.encoding = encoding;
  if (shown !== undefined) fields.statement = shown;
  fields.statementBytes = bytes;
  if (sha256 === undefined) return;
  fields.statementSha256 = sha256;
  fields.truncated = true;
}
