/** When a message was sent. */
export interface Moment {
  /** Counts messages. */
  readonly order: number;
  /** Counts the stretches of messages that end with a Sync or a simple query. */
  readonly segment: number;
}

/** Something that the server will accept or refuse. */
export interface Definition {
  settle(accepted: boolean): void;
}

/** One definition of a name, as a client sent it; `value` is undefined where the name was closed. */
class Version<T> implements Definition {
  constructor(
    private readonly table: NameTable<T>,
    readonly name: string,
    readonly value: T | undefined,
    readonly sent: Moment,
  ) {}

  settle(accepted: boolean): void {
    if (accepted) this.table.confirm(this);
    else this.table.withdraw(this);
  }
}

export interface Found<T> {
  /** What the server will most likely take the name for. */
  readonly value: T | undefined;
  /** What else it may, as long as it has not answered the definitions. */
  readonly others: readonly T[];
  /** True where SQL may have given the name to something else. */
  readonly doubtful: boolean;
}

const none: readonly never[] = [];
const unknown: Found<never> = { value: undefined, others: none, doubtful: false };

/**
 * What the names of prepared statements or portals stand for. A definition
 * counts once the server has confirmed it: one that fails, or is skipped after
 * an error, leaves the name as it was. As clients need not wait for answers, a
 * name can have several possible meanings at once, and all of them are known.
 */
export class NameTable<T> {
  /** Oldest first; the first one may be confirmed, the others are not answered yet. */
  readonly #names = new Map<string, Version<T>[]>();
  #doubtedBefore = 0;

  constructor(
    private readonly maxNames: number,
    private readonly forgotten: (value: T) => void = () => {},
  ) {}

  get size(): number {
    return this.#names.size;
  }

  define(name: string, value: T | undefined, sent: Moment): Definition {
    const version = new Version(this, name, value, sent);
    const versions = this.#names.get(name);
    if (versions) versions.push(version);
    else this.#insert(version);
    return version;
  }

  /**
   * What a name means to a message of this segment. Messages of one segment run
   * only if those before them succeeded, so a definition among them is certain;
   * earlier unanswered ones are not. What was defined before the moment `changing` may be something else by now.
   */
  find(name: string, segment: number, changing = 0): Found<T> {
    const versions = this.#names.get(name);
    const last = versions?.at(-1);
    if (!versions || !last) return unknown;
    const doubtful = last.sent.order < Math.max(this.#doubtedBefore, changing);
    if (last.sent.segment === segment || versions.length === 1) return { value: last.value, others: none, doubtful };
    const possible = versions.flatMap(({ value }) => value ?? []);
    return { value: possible.pop(), others: possible, doubtful };
  }

  /** The server accepted the definition: what came before it is gone. */
  confirm(version: Version<T>): void {
    const versions = this.#names.get(version.name);
    const at = versions?.indexOf(version) ?? -1;
    if (!versions || at < 0) return;
    const gone = version.value === undefined ? at + 1 : at;
    if (gone > 0) this.#drop(version.name, versions, versions.splice(0, gone));
  }

  /** The server refused or skipped the definition: the name means what it meant before. */
  withdraw(version: Version<T>): void {
    const versions = this.#names.get(version.name);
    const at = versions?.indexOf(version) ?? -1;
    if (versions && at >= 0) this.#drop(version.name, versions, versions.splice(at, 1));
  }

  /** Forgets what was defined before a moment. */
  clearBefore(order: number): void {
    for (const [name, versions] of this.#names) {
      const old = versions.filter(({ sent }) => sent.order < order);
      this.#drop(name, versions, versions.splice(0, old.length));
    }
  }

  /** What was defined before a moment may be something else by now. */
  doubtBefore(order: number): void {
    this.#doubtedBefore = order;
  }

  #drop(name: string, left: readonly Version<T>[], gone: readonly Version<T>[]): void {
    for (const { value } of gone) if (value !== undefined) this.forgotten(value);
    if (left.length === 0) this.#names.delete(name);
  }

  #insert(version: Version<T>): void {
    this.#names.set(version.name, [version]);
    if (this.#names.size <= this.maxNames) return;
    for (const [name, versions] of this.#names) {
      // The unnamed one is in constant use, whatever its age.
      if (name === '') continue;
      this.#drop(name, [], versions.splice(0));
      return;
    }
  }
}
