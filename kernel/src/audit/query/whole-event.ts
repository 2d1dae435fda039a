import { PartJoiner } from '../event-parts.js';
import type { AuditEvent } from '../event.js';
import { eventIn, readJournal } from '../log/index.js';

/** How far behind an event's first part its other parts are looked for. */
const reach = 8192;

/**
 * The event that begins in a line, whole: the first part brings the others,
 * which say nothing by themselves. `undefined` for those, and for a line that is no event.
 */
export async function wholeEvent(directory: string, index: number, line: Buffer): Promise<AuditEvent | undefined> {
  const event = eventIn(line);
  if (!event?.part) return event;
  return event.part.number === 1 ? ((await joinFrom(directory, index, event.id)) ?? event) : undefined;
}

async function joinFrom(directory: string, index: number, id: string): Promise<AuditEvent | undefined> {
  const joiner = new PartJoiner();
  for await (const { first, lines } of readJournal(directory, index)) {
    for (const line of lines) {
      const part = line.includes(id) ? eventIn(line) : undefined;
      const whole = part?.part?.of === id ? joiner.add(part) : undefined;
      if (whole) return whole;
    }
    if (first - index > reach) return undefined;
  }
  return undefined;
}
