import type { z } from 'zod';
import { listRecordings, type recordingView } from '../../api/contract/sessions.js';
import type { Format } from '../output/formats.js';
import { showRows } from '../output/show.js';
import { duration, sizeText } from '../output/words.js';
import { withAdmin, type AdminOptions } from '../postern/with-admin.js';
import { withClient } from '../psh/with-client.js';

export interface RecordingListOptions {
  readonly user?: string;
  readonly limit: number;
  readonly format: Format;
}

/** `psh recordings ls`. */
export async function userRecordings(options: RecordingListOptions & { readonly cluster?: string }): Promise<void> {
  const wanted = filterOf(options);
  await show(await withClient(options.cluster, (client) => client.call(listRecordings, wanted)), options.format);
}

/** `postern recordings ls`. */
export async function allRecordings(options: RecordingListOptions & AdminOptions): Promise<void> {
  const wanted = filterOf(options);
  await show(await withAdmin(options, (client) => client.call(listRecordings, wanted)), options.format);
}

const filterOf = ({ user, limit }: RecordingListOptions): { user?: string; limit: number } => ({
  limit,
  ...(user !== undefined && { user }),
});

async function show(recordings: readonly z.output<typeof recordingView>[], format: Format): Promise<void> {
  await showRows(
    recordings,
    [
      { title: 'SESSION', value: ({ session }) => session },
      { title: 'STARTED', value: ({ started }) => started.replace(/\.\d+Z$/, 'Z') },
      {
        title: 'LENGTH',
        value: ({ ended, durationMs }) => (ended === undefined ? 'live' : duration(durationMs / 1000)),
      },
      { title: 'USER', value: ({ user }) => user },
      { title: 'RESOURCE', value: ({ resourceKind, resource }) => `${resourceKind}/${resource}` },
      { title: 'NO', value: ({ recording }) => recording },
      { title: 'KIND', value: ({ kind }) => kind },
      { title: 'SIZE', value: ({ bytes }) => sizeText(bytes) },
    ],
    format,
  );
}
