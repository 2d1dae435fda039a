import type { AuditEvent, EventKey } from '../event.js';
import { journalFiles, readJournalFile } from './journal-files.js';

/** How many files of the journal are searched for one event: half a million events. */
const reach = 8;

/**
 * Finds the id under which an event was stored long ago. Reads the journal
 * backwards, a file at a time, and remembers what it found of the stream in the
 * last one, since whoever sends one old event sends its neighbours too.
 */
export class IdLookup {
  #last: Promise<unknown> = Promise.resolve();
  #known: { readonly key: string; readonly ids: ReadonlyMap<number, string> } | undefined;

  constructor(private readonly directory: string) {}

  /** `undefined` where the event is not within reach. */
  find(event: EventKey): Promise<string | undefined> {
    // One at a time, so that nobody can make many reads happen at once.
    const found = this.#last.then(() => this.#search(event));
    this.#last = found.catch(() => undefined);
    return found;
  }

  async #search({ agent, stream, sequence }: EventKey): Promise<string | undefined> {
    const key = `${agent} ${stream}`;
    const known = this.#known?.key === key ? this.#known.ids.get(sequence) : undefined;
    if (known !== undefined) return known;
    const files = await journalFiles(this.directory);
    for (const file of files.slice(-reach).reverse()) {
      const ids = await this.#idsIn(file, agent, stream);
      if (!ids.has(sequence)) continue;
      this.#known = { key, ids };
      return ids.get(sequence);
    }
    return undefined;
  }

  async #idsIn(file: number, agent: string, stream: string): Promise<ReadonlyMap<number, string>> {
    const ids = new Map<number, string>();
    const mark = `"agent":${JSON.stringify(agent)},"stream":"${stream}"`;
    for await (const { lines } of readJournalFile(this.directory, file)) {
      for (const line of lines) {
        const event = line.includes(mark) ? eventIn(line) : undefined;
        if (event?.agent === agent && event.stream === stream) ids.set(event.sequence, event.id);
      }
    }
    return ids;
  }
}

/** The event in a line of the journal; `undefined` for a line that is none. */
export function eventIn(line: Buffer): AuditEvent | undefined {
  try {
    const value: unknown = JSON.parse(line.toString('utf8'));
    return isEvent(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Lines were checked in full when they were taken; this tells them from bytes that a disk made up. */
function isEvent(value: unknown): value is AuditEvent {
  if (typeof value !== 'object' || value === null) return false;
  const { id, agent, stream, sequence } = value as Readonly<Record<string, unknown>>;
  return [id, agent, stream].every((text) => typeof text === 'string') && Number.isSafeInteger(sequence);
}
