import { capability, has } from './capabilities.js';
import { parseError, PayloadReader, type ServerError } from './wire.js';

/**
 * The form of an answer. `results`: OK, an error, or result sets; `rows`: rows
 * up to their end; `prepare`: what a statement needs; `text`: one packet;
 * `stream`: has no end that could be known.
 */
export type ResponseKind = 'none' | 'simple' | 'results' | 'rows' | 'prepare' | 'text' | 'stream';

/** One result, of which an answer may have several. */
export interface Result {
  readonly outcome: 'completed' | 'failed';
  /** Rows that were returned. */
  readonly rows?: number;
  readonly affectedRows?: number;
  readonly error?: ServerError;
}

/** What a prepared statement is called from now on, and how many parameters it has. */
export type OnPrepared = (statement: number, parameters: number) => void;

interface Expected {
  readonly kind: ResponseKind;
  readonly prepared: OnPrepared | undefined;
}

export interface ResponseEvents {
  result(result: Result): void;
  /** The answer that began first is over. */
  done(): void;
  /** The server wants a file of the client, whose content follows from the other side. */
  fileWanted(name: string): void;
}

const moreResults = 0x0008;
const cursorExists = 0x0040;

type State =
  | { readonly at: 'start' }
  /** Definitions that are left, and what follows them. */
  | { readonly at: 'definitions'; left: number; readonly then: 'rows' | 'columns' | 'end' }
  | { readonly at: 'definitions-end'; readonly then: 'rows' | 'columns' | 'end' }
  | { readonly at: 'rows'; count: number }
  | { readonly at: 'file' };

/** Follows a server's answers to the commands of a session, which come in their order. */
export class ResponseReader {
  readonly #expected: Expected[] = [];
  #state: State = { at: 'start' };
  /** Of a prepared statement: definitions of columns, after those of parameters. */
  #columns = 0;

  constructor(
    private readonly capabilities: number,
    private readonly events: ResponseEvents,
  ) {}

  /** True where no answer is missing. */
  get idle(): boolean {
    return this.#expected.length === 0;
  }

  /** True while the client has to send the content of a file. */
  get wantsFile(): boolean {
    return this.#state.at === 'file';
  }

  expect(kind: ResponseKind, prepared?: OnPrepared): void {
    if (kind !== 'none') this.#expected.push({ kind, prepared });
  }

  /** The client has sent all of the file; now the server answers. */
  fileSent(): void {
    this.#state = { at: 'start' };
  }

  payload(head: Buffer, length: number): void {
    const { kind } = this.#expected[0] ?? {};
    // What nobody asked for says that a connection is ended; `stream` has no form that is known here.
    if (kind === undefined || kind === 'stream') return;
    const state = this.#state;
    if (head[0] === 0xff) return this.#end({ outcome: 'failed', error: parseError(head) });
    if (state.at !== 'start') return this.#within(state, head, length);
    if (kind === 'prepare') return this.#prepared(head);
    if (kind === 'results') return this.#first(head);
    if (kind === 'rows') return this.#row(this.#enterRows(), head, length);
    this.#end({ outcome: 'completed', ...(kind === 'simple' && head[0] === 0 && okOf(head).result) });
  }

  #within(state: Exclude<State, { at: 'start' }>, head: Buffer, length: number): void {
    if (state.at === 'rows') this.#row(state, head, length);
    else if (state.at === 'definitions') this.#definition(state);
    else if (state.at === 'definitions-end') this.#definitionsEnd(state.then, head);
  }

  #first(head: Buffer): void {
    const kind = head[0];
    if (kind === 0x00) {
      const { status, result } = okOf(head);
      return this.#finish({ outcome: 'completed', ...result }, status);
    }
    if (kind === 0xfb) {
      this.#state = { at: 'file' };
      return this.events.fileWanted(head.toString('utf8', 1));
    }
    this.#define(new PayloadReader(head).length() ?? 0, 'rows');
  }

  #prepared(head: Buffer): void {
    const reader = new PayloadReader(head);
    reader.bytes(1);
    const statement = reader.uint(4);
    this.#columns = reader.uint(2);
    const parameters = reader.uint(2);
    this.#expected[0]?.prepared?.(statement, parameters);
    this.events.result({ outcome: 'completed' });
    this.#define(parameters, 'columns');
  }

  #define(count: number, then: 'rows' | 'columns' | 'end'): void {
    if (count > 0) this.#state = { at: 'definitions', left: count, then };
    else this.#after(then);
  }

  #definition(state: Extract<State, { at: 'definitions' }>): void {
    state.left--;
    if (state.left > 0) return;
    if (has(this.capabilities, capability.deprecateEof)) this.#after(state.then);
    else this.#state = { at: 'definitions-end', then: state.then };
  }

  #definitionsEnd(then: 'rows' | 'columns' | 'end', head: Buffer): void {
    const status = head.length >= 5 ? head.readUInt16LE(3) : 0;
    // A cursor's rows are fetched by commands of their own.
    if (then === 'rows' && has(status, cursorExists)) this.#end({ outcome: 'completed' });
    else this.#after(then);
  }

  #after(then: 'rows' | 'columns' | 'end'): void {
    if (then === 'rows') this.#enterRows();
    else if (then === 'columns') this.#define(this.#columns, 'end');
    else this.#next();
  }

  #enterRows(): Extract<State, { at: 'rows' }> {
    const state: Extract<State, { at: 'rows' }> = { at: 'rows', count: 0 };
    this.#state = state;
    return state;
  }

  #row(state: Extract<State, { at: 'rows' }>, head: Buffer, length: number): void {
    if (!this.#isRowsEnd(head, length)) {
      state.count++;
      return;
    }
    const ok = has(this.capabilities, capability.deprecateEof);
    const status = ok ? okOf(head).status : head.length >= 5 ? head.readUInt16LE(3) : 0;
    this.#finish({ outcome: 'completed', rows: state.count }, status);
  }

  /** A row can begin with the same byte, but only where a value has 16 MB or more. */
  #isRowsEnd(head: Buffer, length: number): boolean {
    return head[0] === 0xfe && length < (has(this.capabilities, capability.deprecateEof) ? 0xff_ffff : 9);
  }

  #finish(result: Result, status: number): void {
    this.events.result(result);
    if (has(status, moreResults)) this.#state = { at: 'start' };
    else this.#next();
  }

  #end(result: Result): void {
    this.events.result(result);
    this.#next();
  }

  #next(): void {
    this.#expected.shift();
    this.#state = { at: 'start' };
    this.events.done();
  }
}

function okOf(head: Buffer): { readonly status: number; readonly result: { readonly affectedRows: number } } {
  const reader = new PayloadReader(head);
  reader.bytes(1);
  const affectedRows = reader.length() ?? 0;
  reader.length();
  return { status: reader.left >= 2 ? reader.uint(2) : 0, result: { affectedRows } };
}
