import type { Logger } from '@postern/plugin-sdk';
import pino from 'pino';

const levels = ['debug', 'info', 'warn', 'error'] as const;
type Level = (typeof levels)[number];

export interface ProcessLogOptions {
  readonly level: Level;
  /** `text` for people at a terminal, `json` for collectors. */
  readonly format: 'text' | 'json';
  readonly write: (line: string) => void;
}

/** The log of a process, one line to a message. */
export function processLog({ level, format, write }: ProcessLogOptions): Logger {
  if (format === 'json') {
    const log = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, { write });
    const at = (name: Level) => (message: string, fields?: object) => log[name](fields ?? {}, message);
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  }
  const at = (name: Level) => (message: string, fields?: object) => {
    if (levels.indexOf(name) < levels.indexOf(level)) return;
    write(`${new Date().toISOString()} ${name.toUpperCase().padEnd(5)} ${message}${text(fields)}\n`);
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

const text = (fields: object | undefined): string =>
  Object.entries(fields ?? {})
    .map(([name, value]) => ` ${name}=${typeof value === 'string' ? JSON.stringify(value) : String(value)}`)
    .join('');
