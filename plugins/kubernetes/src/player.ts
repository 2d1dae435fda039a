import type { PlayerModule, RecordedEntry } from '@postern/plugin-sdk';

const text = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value).replace(/\p{Cc}/gu, '\ufffd') : '';

const words = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(text) : []);

/** What was asked for: `list pods in shop`, `GET /metrics`. */
function wanted(entry: RecordedEntry): string {
  if (entry['path'] !== undefined) return `${text(entry['method'])} ${text(entry['path'])}`;
  const name = entry['name'] === undefined ? '' : ` ${text(entry['name'])}`;
  const place = entry['namespace'] === undefined ? '' : ` in ${text(entry['namespace'])}`;
  return `${text(entry['verb'])} ${text(entry['resource'])}${name}${place}`;
}

function maker(entry: RecordedEntry): string {
  const groups = words(entry['groups']);
  return `${text(entry['user'])}${groups.length === 0 ? '' : ` (${groups.join(', ')})`}`;
}

/** A command as a shell would take it, so that its words can be told apart. */
function command(entry: RecordedEntry): string {
  const quoted = words(entry['command']).map((word) =>
    /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`,
  );
  const cut = entry['truncated'] === true ? ' …' : '';
  return quoted.length === 0 ? '' : `: ${quoted.join(' ')}${cut}${entry['tty'] === true ? ' (terminal)' : ''}`;
}

function ended(entry: RecordedEntry): string {
  const exit = entry['exit'] === undefined ? 'over' : /^\d+$/.test(text(entry['exit'])) ? 'exit code' : 'ended:';
  return [exit, text(entry['exit'])].filter((part) => part !== '').join(' ');
}

/** Requests and their answers as lines; the numbers are those of the connection and of the request on it. */
export const kubernetesPlayer: PlayerModule = {
  line(entry) {
    const place = `${text(entry['connection'])}/${text(entry['sequence'])}`;
    if (entry.mark === 'request') return `${place} → ${wanted(entry)} as ${maker(entry)}${command(entry)}`;
    const took = `in ${text(entry['durationMs'])} ms`;
    if (entry.mark === 'response') {
      const stream = entry['stream'] === undefined ? '' : `, goes on as ${text(entry['stream'])}`;
      return `${place} ← ${text(entry['status'])} ${took}${stream}`;
    }
    if (entry.mark !== 'stream') return undefined;
    return `${place} ← ${ended(entry)}, ${text(entry['bytesIn'])} bytes in and ${text(entry['bytesOut'])} out ${took}`;
  },
};
