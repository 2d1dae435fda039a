import type { PlayerModule, RecordedEntry } from '@postern/plugin-sdk';

const text = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '');

const place = (entry: RecordedEntry): string =>
  [entry['database'], entry['collection']]
    .map(text)
    .filter((part) => part !== '')
    .join('.');

const results: Readonly<Record<string, string>> = { documents: 'documents', affected: 'affected', error: 'error' };

/** Commands as in a shell, and below each what came of it. */
export const mongodbPlayer: PlayerModule = {
  line(entry) {
    if (entry.mark === 'command') return `${place(entry)}> ${text(entry['command'])} ${text(entry['statement'])}`;
    if (entry.mark !== 'result') return undefined;
    const parts = Object.entries(results).flatMap(([name, word]) =>
      entry[name] === undefined ? [] : [`${word} ${text(entry[name])}`],
    );
    return ['  ', text(entry['outcome']), ...parts, text(entry['message'])].filter((part) => part !== '').join(' ');
  },
};
