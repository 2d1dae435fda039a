import type { RecordedEntry } from '@postern/plugin-sdk';
import { printable } from '../output/printable.js';

/** One entry of a recording as people read it, unless its protocol has a better way: `00:01.250  mark  name=value …`. */
export function readableLine({ ms, mark, in: input, out: output, ...fields }: RecordedEntry): string {
  const shown = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const raw = [
    ...(typeof input === 'string' ? [`< ${decoded(input)}`] : []),
    ...(typeof output === 'string' ? [`> ${decoded(output)}`] : []),
  ];
  return printable([timeText(ms), ...(mark === undefined ? [] : [mark]), ...raw, ...shown].join('  '));
}

const decoded = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');

/** `minutes:seconds.milliseconds`. */
export function timeText(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  const seconds = ((ms % 60_000) / 1000).toFixed(3).padStart(6, '0');
  return `${String(minutes).padStart(2, '0')}:${seconds}`;
}
