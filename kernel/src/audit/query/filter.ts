import type { AuditEvent } from '../event.js';

/** Which events are wanted; what is absent does not matter. */
export interface EventFilter {
  /** At or after, and before. */
  readonly from?: Date;
  readonly to?: Date;
  /** Whole types, or areas of them: `session` finds `session.start` and does not find `sessions.x`. */
  readonly types?: readonly string[];
  readonly user?: string;
  readonly resource?: { readonly kind?: string; readonly name?: string };
  readonly session?: string;
  readonly agent?: string;
  /** Found anywhere in the event, in whatever case. */
  readonly text?: string;
}

/** The time in a canonical line, without parsing it: it always stands at the same place. */
export const timeOf = (line: Buffer): string => line.toString('latin1', 53, 77);

const member = (name: string, value: string): Buffer => Buffer.from(`"${name}":${JSON.stringify(value)}`);

/** A filter that is ready to be applied to many lines. */
export class CompiledFilter {
  readonly from: string;
  readonly to: string;
  readonly #needles: readonly Buffer[];
  readonly #text: string | undefined;

  constructor(private readonly filter: EventFilter) {
    const { from, to, user, session, agent, resource, text } = filter;
    this.from = from?.toISOString() ?? '';
    this.to = to?.toISOString() ?? '\uffff';
    const exact = { user, session, agent, kind: resource?.kind, name: resource?.name };
    this.#needles = Object.entries(exact).flatMap(([name, value]) =>
      value === undefined ? [] : [member(name, value)],
    );
    this.#text = text?.toLowerCase();
  }

  /** False for a line that cannot match; cheap, and says true now and then where the event does not. */
  admits(line: Buffer): boolean {
    const time = timeOf(line);
    return time >= this.from && time < this.to && this.#needles.every((needle) => line.includes(needle));
  }

  matches(event: AuditEvent): boolean {
    const { user, session, agent, resource } = this.filter;
    return (
      wanted(user, event.user) &&
      wanted(session, event.session) &&
      wanted(agent, event.agent) &&
      wanted(resource?.kind, event.resource?.kind) &&
      wanted(resource?.name, event.resource?.name) &&
      this.#matchesType(event.type) &&
      (this.#text === undefined || holds(event, this.#text))
    );
  }

  #matchesType(type: string): boolean {
    return this.filter.types?.some((prefix) => type === prefix || type.startsWith(`${prefix}.`)) ?? true;
  }
}

const wanted = (value: string | undefined, found: string | undefined): boolean =>
  value === undefined || value === found;

/** True where a text stands in any name or value, however deep. */
function holds(value: unknown, text: string): boolean {
  if (typeof value !== 'object' || value === null) return String(value).toLowerCase().includes(text);
  return Object.entries(value).some(([name, item]) => name.toLowerCase().includes(text) || holds(item, text));
}
