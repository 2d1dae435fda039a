import type { Hold } from '@postern/plugin-sdk';
import type { EventPort } from './agent-services.js';

export interface ReportedSession {
  readonly session: string;
  readonly resource: { readonly kind: string; readonly name: string };
  readonly source: string;
}

/** Emits the events of one session: each bears its id, its resource, and where its client is. */
export class SessionReporter {
  readonly #about: ReportedSession;

  constructor(
    { session, resource: { kind, name }, source }: ReportedSession,
    private readonly events: EventPort,
  ) {
    this.#about = { session, resource: { kind, name }, source };
  }

  report(
    type: string,
    fields: Readonly<Record<string, unknown>>,
    { user, strength = 'spool' }: { readonly user?: string | undefined; readonly strength?: 'spool' | 'strict' } = {},
  ): Hold {
    // Written out: this happens for every statement, and spreading costs more than all the rest.
    const { session, resource, source } = this.#about;
    const draft = { type, fields, session, resource, source };
    return this.events.emit(user === undefined ? draft : { type, fields, session, user, resource, source }, strength);
  }
}
