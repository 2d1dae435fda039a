import { readFile, writeFile } from 'node:fs/promises';
import { hostLabel } from './host-label.js';

/**
 * What this process is called in the audit log and in its certificates: the
 * configured name, else the one of the first start, else the host's. Kept in the
 * data directory, since the log and the spool belong to the name: a host that is
 * renamed stays who it was.
 */
export async function instanceName(path: string, configured: string | undefined): Promise<string> {
  const kept = (await readFile(path, 'utf8').catch(() => '')).trim();
  const name = configured ?? (kept === '' ? hostLabel('agent') : kept);
  if (name !== kept) await writeFile(path, `${name}\n`, { mode: 0o600 });
  return name;
}
