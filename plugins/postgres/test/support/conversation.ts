import type { Hold } from '@postern/plugin-sdk';
import { SessionTap } from '../../src/tap.js';

export interface Entry {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A tap between two people who only talk: keeps what it writes. */
export class Conversation {
  readonly events: Entry[] = [];
  readonly lines: Entry[] = [];
  readonly tap: SessionTap;
  readonly abort = new AbortController();
  /** What emitting returns. */
  hold: () => Hold = () => undefined;

  constructor(limits: { maxStatementBytes?: number; maxParameterBytes?: number } = {}, encoding?: string) {
    this.tap = new SessionTap({
      audit: {
        emit: (type, fields) => {
          this.events.push({ type, ...fields });
          return this.hold();
        },
      },
      recording: { mark: (type, fields) => void this.lines.push({ type, ...fields }) },
      limits: { maxStatementBytes: 65_536, maxParameterBytes: 4096, ...limits },
      signal: this.abort.signal,
      now: () => 0,
      encoding,
    });
  }

  /** The client sends messages in one chunk. */
  client(...messages: readonly Buffer[]): Hold {
    return this.tap.fromClient(Buffer.concat(messages));
  }

  /** The server sends messages in one chunk. */
  server(...messages: readonly Buffer[]): Hold {
    return this.tap.fromUpstream(Buffer.concat(messages));
  }

  /** Events without what is the same in all of them, each as one line. */
  get told(): string[] {
    return this.events.map(brief);
  }
}

const shown = ['statement', 'name', 'portal', 'parameters', 'alternatives', 'command', 'rows', 'part', 'sqlstate'];

/** An event as people would tell it: `query 1 select 1`, `result 1 completed SELECT 1`. */
export function brief(entry: Entry): string {
  const words = ['sequence', 'outcome', ...shown].flatMap((name) => told(name, entry[name]) ?? []);
  return [entry.type, ...words].join(' ');
}

function told(name: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (name === 'part' || name === 'alternatives' || name === 'portal') return `${name}=${JSON.stringify(value)}`;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
