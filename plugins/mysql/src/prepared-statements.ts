import { command } from './command.js';
import { readParameters, type Shown } from './parameters.js';
import { PayloadReader } from './wire.js';

/** More than servers allow by default (`max_prepared_stmt_count` is 16,382 for all of their clients). */
const most = 20_000;

/** Names the statement that was prepared last (MariaDB, COM_STMT_EXECUTE). */
const latest = 0xffff_ffff;

interface Prepared {
  readonly statement: string;
  readonly parameters: number;
  types: readonly number[];
  /** Parameters whose values were sent ahead. */
  readonly ahead: Set<number>;
}

/** The statements that a session has prepared, by the server's ids. */
export class PreparedStatements {
  readonly #byId = new Map<number, Prepared>();
  #latest = 0;

  add(id: number, statement: string, parameters: number): void {
    if (this.#byId.size >= most) this.#byId.delete(this.#byId.keys().next().value ?? 0);
    this.#byId.set(id, { statement, parameters, types: [], ahead: new Set() });
    this.#latest = id;
  }

  /** Follows the commands that are about statements and run none. */
  follow(byte: number, head: Buffer): void {
    if (byte === command.resetConnection) this.#byId.clear();
    if (byte === command.closeStatement) this.#byId.delete(idIn(head));
    if (byte === command.resetStatement) this.#find(idIn(head))?.ahead.clear();
    if (byte === command.longData && head.length >= 7) this.#find(idIn(head))?.ahead.add(head.readUInt16LE(5));
  }

  /**
   * What COM_STMT_EXECUTE runs: id, flags, number of iterations, parameters.
   * `parameters` is absent where not all of them could be read.
   */
  execution(head: Buffer): { readonly statement?: string; readonly parameters?: readonly Shown[] } {
    const prepared = this.#find(idIn(head));
    if (!prepared) return {};
    const { statement } = prepared;
    const reader = new PayloadReader(head);
    try {
      reader.bytes(10);
      const { values, types } = readParameters(reader, prepared.parameters, prepared);
      prepared.types = types;
      return { statement, parameters: values };
    } catch {
      // Longer than what was kept, or malformed, which is the server's to refuse.
      return { statement };
    } finally {
      prepared.ahead.clear();
    }
  }

  /** The text behind an id, for executions of many rows. */
  statementOf(head: Buffer): string | undefined {
    return this.#find(idIn(head))?.statement;
  }

  #find(id: number): Prepared | undefined {
    return this.#byId.get(id === latest ? this.#latest : id);
  }
}

const idIn = (head: Buffer): number => (head.length >= 5 ? head.readUInt32LE(1) : -1);
