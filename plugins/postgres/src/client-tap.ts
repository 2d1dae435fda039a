import { PosternError } from '@postern/plugin-sdk';
import { readBind, readClose, readExecute, readParse } from './client-messages.js';
import type { ClientText } from './client-text.js';
import { FrameRules, FrameWalker, maxFrame, rule } from './frame-walker.js';
import type { Journal } from './journal.js';
import { LongMessage } from './long-message.js';
import { NameTable, type Moment } from './name-table.js';
import type { Pipeline } from './pipeline.js';
import { StatementLog, type Held, type StatementLimits } from './statement-log.js';
import { TextBudget, type Statement } from './statement.js';
import { Step } from './step.js';

/** Bodies up to this length are held whole; longer ones go to the recording piece by piece. */
const holds = 262_144;
const maxNames = 4096;
const maxTextBytes = 8_388_608;
/** PostgreSQL takes no longer messages of the kinds that carry no data (PQ_SMALL_MESSAGE_LIMIT). */
const small = 10_000;

const rules = new FrameRules({
  Q: { rule: rule.take, limit: maxFrame },
  P: { rule: rule.take, limit: maxFrame },
  B: { rule: rule.take, limit: maxFrame },
  F: { rule: rule.take, limit: maxFrame },
  E: { rule: rule.take, limit: small },
  C: { rule: rule.take, limit: small },
  S: { rule: rule.take, limit: small },
  c: { rule: rule.take, limit: small },
  f: { rule: rule.take, limit: small },
  d: { rule: rule.count, limit: maxFrame },
  D: { rule: rule.skip, limit: small },
  H: { rule: rule.skip, limit: small },
  X: { rule: rule.skip, limit: small },
});

/** How many strings precede the text of a statement, by the type of the message that carries it. */
const stringsBeforeText: Readonly<Record<number, number>> = { 0x51: 0, 0x50: 1 };

/**
 * Reads what the client sends. A statement is logged when a Query or a Bind
 * carries it to the server, and not only when an Execute follows: planning a
 * bound statement can run code already.
 */
export class ClientTap extends FrameWalker {
  readonly #log: StatementLog;
  readonly #texts = new TextBudget(maxTextBytes);
  readonly #statements = new NameTable<Statement>(maxNames, (statement) => this.#texts.release(statement));
  /** The number of the statement that a portal runs. */
  readonly #portals = new NameTable<number>(maxNames);
  /** An unnamed statement that this chunk prepared and did not use yet: its use will show it. */
  #unused: { readonly statement: Statement; readonly step: Step } | undefined;
  #long: LongMessage | undefined;
  #order = 0;
  #segment = 0;

  constructor(
    private readonly pipeline: Pipeline,
    private readonly journal: Journal,
    limits: StatementLimits,
    private readonly reader: ClientText,
  ) {
    super(rules, holds);
    this.#log = new StatementLog(journal, limits, reader);
  }

  /** Reads a chunk before it is forwarded. */
  push(chunk: Buffer): void {
    this.walk(chunk);
    this.#showUnused();
  }

  /** SQL dropped names, or gave them to something else, in a message sent at this moment. */
  namesChanged(change: 'dropped' | 'doubtful', order: number): void {
    if (change === 'dropped') this.#statements.clearBefore(order);
    else this.#statements.doubtBefore(order);
  }

  /** The transaction ended in which portals were bound that were sent before this moment. */
  portalsEnded(order: number): void {
    this.#portals.clearBefore(order);
  }

  protected override frame(type: number, body: Buffer, length: number): void {
    const held = { body, length, long: this.#long };
    this.#long = undefined;
    this.#order += 1;
    switch (type) {
      case 0x42: // Bind
        return this.#bind(held);
      case 0x43: // Close
        return this.#close(body);
      case 0x45: // Execute
        return this.#execute(body);
      case 0x46: // FunctionCall
        return this.#endSegment('call', this.#log.call(held));
      case 0x50: // Parse
        return this.#parse(held);
      case 0x51: // Query
        return this.#query(held);
      case 0x53: // Sync
        return this.#endSegment('sync');
      default: // CopyDone, CopyFail
        return this.pipeline.copyEnds(this.#order);
    }
  }

  protected override piece(type: number, piece: Buffer): void {
    this.#long ??= new LongMessage(this.journal, stringsBeforeText[type], this.reader);
    this.#long.push(piece);
  }

  #query(held: Held): void {
    const { body, long } = held;
    const to = long ? body.length : body.length - 1;
    // The server would read no further than a zero byte, and refuse what follows.
    if (!long && (to < 0 || body.indexOf(0) !== to))
      throw PosternError.public(
        'protocol_violation',
        'invalid message format: a query that does not end with its text',
      );
    this.#endSegment('query', this.#log.query(held, to));
  }

  #parse(held: Held): void {
    this.#showUnused();
    const { name, from, to } = readParse(held.body, !held.long);
    const statement = this.#log.statement(held, from, to);
    const definition = this.#statements.define(name, statement, this.#now);
    const step = new Step('parse', this.#order, undefined, definition);
    this.#texts.keep(statement);
    if (name !== '' || statement.sha256 !== undefined)
      step.sequence = this.#log.prepare(name, statement, { ...held, from, to });
    else this.#unused = { statement, step };
    this.pipeline.push(step);
  }

  #bind(held: Held): void {
    const message = readBind(held.body, !held.long);
    if (message.statement === '') this.#unused = undefined;
    const statement = this.#statements.find(message.statement, this.#segment, this.pipeline.newestQuery);
    const sequence = this.#log.bind(held, statement, message);
    const portal = this.#portals.define(message.portal, sequence, this.#now);
    this.pipeline.push(new Step('bind', this.#order, sequence, portal));
  }

  #execute(body: Buffer): void {
    const { portal, maxRows } = readExecute(body);
    const bound = this.#portals.find(portal, this.#segment).value;
    // SQL declares no cursor without a name: an unnamed portal that nothing bound is an error.
    const sequence = bound ?? (portal === '' ? undefined : this.#log.cursor(portal));
    const step = new Step('execute', this.#order, sequence);
    step.maxRows = maxRows;
    this.pipeline.push(step);
  }

  #close(body: Buffer): void {
    const { what, name } = readClose(body);
    const definition = (what === 'statement' ? this.#statements : this.#portals).define(name, undefined, this.#now);
    this.pipeline.push(new Step('close', this.#order, undefined, definition));
  }

  #endSegment(kind: 'query' | 'call' | 'sync', sequence?: number): void {
    this.pipeline.push(new Step(kind, this.#order, sequence));
    this.#segment += 1;
  }

  get #now(): Moment {
    return { order: this.#order, segment: this.#segment };
  }

  #showUnused(): void {
    if (!this.#unused) return;
    const { statement, step } = this.#unused;
    this.#unused = undefined;
    step.sequence = this.#log.prepare('', statement);
  }
}
