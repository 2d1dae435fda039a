import { getStatus } from '../../api/contract/cluster.js';
import { exitCodes } from '../exit-codes.js';
import type { Format } from '../output/formats.js';
import { showFields } from '../output/show.js';
import { relativeTime } from '../output/words.js';
import { withAdmin, type AdminOptions } from './with-admin.js';

/** `postern status`. Exits with 1 where something is not well. */
export async function status(options: AdminOptions & { readonly format: Format }): Promise<void> {
  const found = await withAdmin(options, (client) => client.call(getStatus, {}));
  await showFields(
    found,
    [
      ['cluster', found.cluster],
      ['version', found.version],
      ['started', `${found.started} (${relativeTime(new Date(found.started), new Date())})`],
      ['ready', found.ready ? 'yes' : 'no'],
      ['sessions', String(found.sessions)],
      ...found.checks.map(({ name, ok, detail }): [string, string] => [name, `${ok ? 'ok' : 'FAILED'}  ${detail}`]),
    ],
    options.format,
  );
  if (!found.ready) process.exitCode = exitCodes.failed;
}
