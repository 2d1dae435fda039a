import { writeFile } from 'node:fs/promises';
import type { Exporter, PlayerModule, RecordedEntry } from '@postern/plugin-sdk';
import { HarBuilder } from './har.js';

const har: Exporter = {
  title: 'HTTP archive (HAR 1.2), without headers and bodies',
  async export(session, options) {
    const { file, signal } = options;
    const builder = new HarBuilder(session.header);
    for await (const entry of session.entries()) {
      signal.throwIfAborted();
      builder.add(entry);
      options.progress(session.durationMs > 0 ? Math.min(1, entry.ms / session.durationMs) : 0);
    }
    await writeFile(file, `${JSON.stringify(builder.build(), undefined, 2)}\n`, { mode: 0o600 });
    options.progress(1);
  },
};

const text = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value).replace(/\p{Cc}/gu, '\ufffd') : '';

/** One request or its end as a line. */
function line(entry: RecordedEntry): string | undefined {
  const [connection, sequence] = [text(entry['connection']), text(entry['sequence'])];
  if (entry.mark === 'request') {
    const query = entry['query'] === undefined ? '' : `?${text(entry['query'])}`;
    const upgrade = entry['upgrade'] === undefined ? '' : ` (${text(entry['upgrade'])})`;
    return `${connection}/${sequence} → ${text(entry['method'])} ${text(entry['path'])}${query}${upgrade}`;
  }
  if (entry.mark !== 'response') return undefined;
  const status = entry['status'] === undefined ? 'no answer' : text(entry['status']);
  const broken = entry['complete'] === false ? ', broken off' : '';
  return `${connection}/${sequence} ← ${status}, ${text(entry['bytesOut'])} bytes in ${text(entry['durationMs'])} ms${broken}`;
}

export const httpsPlayer: PlayerModule = { line, exports: { har } };
