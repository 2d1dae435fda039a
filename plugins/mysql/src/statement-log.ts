import type { AuditPort, EventCatalog, Hold, Recording } from '@postern/plugin-sdk';
import type { Mysql } from './protocol.js';
import type { Result } from './response-reader.js';

type Events = Mysql['audit'];

/** A command that the server has not answered yet. */
interface Open {
  readonly sequence: number;
  readonly started: number;
  parts: number;
}

export interface StatementLogOptions {
  readonly audit: AuditPort<Events>;
  readonly recording: Recording;
  /** Milliseconds, from any beginning. */
  readonly clock?: () => number;
}

/** What a session did, in the audit log and in its recording: each command, and each of its results. */
export class StatementLog {
  #sequence = 0;
  readonly #open: Open[] = [];

  constructor(private readonly options: StatementLogOptions) {}

  /** Reports a command before it goes on. `answered` says that a result will follow. */
  sent(
    name: 'query' | 'prepare' | 'execute' | 'command',
    fields: Readonly<Record<string, unknown>>,
    answered: boolean,
  ): Hold {
    const sequence = (this.#sequence += 1);
    if (answered) this.#open.push({ sequence, started: this.#now(), parts: 0 });
    return this.#emit(name, { sequence, ...fields });
  }

  /** Reports one result of the oldest command that has no answer. */
  answered({ outcome, rows, affectedRows, error }: Result): Hold {
    const [open] = this.#open;
    if (!open) return;
    open.parts++;
    return this.#emit('result', {
      sequence: open.sequence,
      outcome,
      ...(open.parts > 1 && { part: open.parts }),
      ...(rows !== undefined && { rows }),
      ...(affectedRows !== undefined && affectedRows > 0 && { affectedRows }),
      ...(error && { error: error.number, state: error.state, message: error.message }),
      durationMs: Math.round((this.#now() - open.started) * 1000) / 1000,
    });
  }

  /** The oldest command has no further result. */
  complete(): void {
    this.#open.shift();
  }

  fileSent(name: string): Hold {
    return this.#emit('file', { sequence: this.#open[0]?.sequence ?? this.#sequence, name });
  }

  /** Says of what was still running that nobody heard its answer. */
  async finish(): Promise<void> {
    for (const { sequence } of this.#open.splice(0)) await this.#emit('result', { sequence, outcome: 'unanswered' });
  }

  #emit(name: keyof Events, fields: Readonly<Record<string, unknown>>): Hold {
    const audit: Pick<AuditPort<EventCatalog>, 'emit'> = this.options.audit;
    const held = [this.options.recording.mark(name, fields), audit.emit(name, fields)].filter(
      (hold) => hold instanceof Promise,
    );
    if (held.length > 0) return Promise.all(held).then(() => undefined);
  }

  #now(): number {
    return this.options.clock?.() ?? performance.now();
  }
}
