import type { z } from 'zod';
import { listSessions, type sessionView } from '../../api/contract/sessions.js';
import type { Format } from '../output/formats.js';
import { showRows } from '../output/show.js';
import { relativeTime } from '../output/words.js';
import { withAdmin, type AdminOptions } from '../postern/with-admin.js';
import { withClient } from '../psh/with-client.js';

/** `psh sessions ls`. */
export async function userSessions(options: { readonly cluster?: string; readonly format: Format }): Promise<void> {
  await show(await withClient(options.cluster, (client) => client.call(listSessions, {})), options.format);
}

/** `postern sessions ls`. */
export async function allSessions(options: AdminOptions & { readonly format: Format }): Promise<void> {
  await show(await withAdmin(options, (client) => client.call(listSessions, {})), options.format);
}

async function show(sessions: readonly z.output<typeof sessionView>[], format: Format): Promise<void> {
  const now = new Date();
  await showRows(
    sessions,
    [
      { title: 'ID', value: ({ id }) => id },
      { title: 'USER', value: ({ user }) => user },
      { title: 'RESOURCE', value: ({ kind, resource }) => `${kind}/${resource}` },
      { title: 'ASK', value: ({ ask }) => askText(ask) },
      { title: 'FROM', value: ({ source }) => source },
      { title: 'STARTED', value: ({ started }) => relativeTime(new Date(started), now) },
    ],
    format,
  );
}

const askText = (ask: Readonly<Record<string, unknown>>): string =>
  Object.entries(ask)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
