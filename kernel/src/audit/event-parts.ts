import type { AuditEvent } from './event.js';

/**
 * Cuts a text into pieces that take at most `budget` bytes each once they stand
 * in JSON as strings. The text is canonical JSON itself: it holds no control
 * characters and no lone surrogates.
 */
export function splitText(text: string, budget: number): string[] {
  const pieces: string[] = [];
  let start = 0;
  let used = 0;
  for (let index = 0; index < text.length;) {
    const code = text.codePointAt(index) ?? 0;
    const cost = escapedLength(code);
    if (used + cost > budget) {
      pieces.push(text.slice(start, index));
      start = index;
      used = 0;
    }
    used += cost;
    index += code > 0xffff ? 2 : 1;
  }
  return [...pieces, text.slice(start)];
}

function escapedLength(code: number): number {
  if (code === 0x22 || code === 0x5c) return 2;
  if (code < 0x80) return 1;
  if (code < 0x800) return 2;
  return code > 0xffff ? 4 : 3;
}

interface Collected {
  readonly parts: Map<number, AuditEvent>;
  bytes: number;
}

export interface PartLimits {
  /** How many unfinished events are kept at once; the oldest gives way. */
  readonly events: number;
  /** How many characters of one event are collected. */
  readonly length: number;
}

/**
 * Puts events that were cut into parts together again, in whatever order the
 * parts come. Its memory is bounded: an event that stays unfinished for too
 * long, or grows too large, is given up, and its parts remain in the log.
 */
export class PartJoiner {
  readonly #pending = new Map<string, Collected>();

  constructor(private readonly limits: PartLimits = { events: 16, length: 16 * 1024 * 1024 }) {}

  /** The event itself where it is whole, the whole event with its last part, and nothing before that. */
  add(event: AuditEvent): AuditEvent | undefined {
    const { part } = event;
    if (!part) return event;
    const key = `${event.agent} ${event.stream} ${part.of}`;
    const collected = this.#pending.get(key) ?? { parts: new Map<number, AuditEvent>(), bytes: 0 };
    this.#pending.delete(key);
    if (!collected.parts.has(part.number)) collected.bytes += part.text.length;
    collected.parts.set(part.number, event);
    if (collected.bytes > this.limits.length) return undefined;
    if (collected.parts.size === part.total) return joined(collected.parts);
    this.#pending.set(key, collected);
    for (const oldest of this.#pending.keys()) {
      if (this.#pending.size <= this.limits.events) break;
      this.#pending.delete(oldest);
    }
    return undefined;
  }
}

function joined(parts: ReadonlyMap<number, AuditEvent>): AuditEvent | undefined {
  const texts = Array.from({ length: parts.size }, (_, index) => parts.get(index + 1)?.part?.text ?? '');
  const first = parts.get(1);
  if (!first) return undefined;
  const { part: _part, ...envelope } = first;
  try {
    return { ...envelope, fields: JSON.parse(texts.join('')) as Record<string, unknown> };
  } catch {
    // Parts of no event of ours: each still verifies as an entry, and together they say nothing.
    return undefined;
  }
}
