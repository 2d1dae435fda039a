import { PosternError } from '@postern/plugin-sdk';
import type { z } from 'zod';
import type { ApiClient } from '../../api/api-client.js';
import { listRecordings, type recordingView } from '../../api/contract/sessions.js';

export type FoundRecording = z.output<typeof recordingView>;

interface Found {
  readonly recording: FoundRecording;
  /** What else there is of the same session. */
  readonly others: readonly FoundRecording[];
}

/**
 * The recording that a session's id, or the beginning of one, means: that of the
 * number, or the first terminal where there is one.
 */
export async function findRecording(client: ApiClient, session: string, number?: string): Promise<Found> {
  const exact = await client.call(listRecordings, { session });
  const candidates =
    exact.length > 0
      ? exact
      : (await client.call(listRecordings, { limit: 1000 })).filter((one) => one.session.startsWith(session));
  const sessions = new Set(candidates.map((one) => one.session));
  if (sessions.size > 1)
    throw PosternError.public('invalid_argument', `${session} begins several: ${[...sessions].slice(0, 5).join(', ')}`);
  const recording =
    number === undefined
      ? (candidates.find(({ format }) => format === 'terminal') ?? candidates[0])
      : candidates.find((one) => one.recording === number);
  const what = number === undefined ? 'recording' : `recording ${number}`;
  if (!recording) throw PosternError.public('not_found', `no ${what} of session ${session}; see: psh recordings ls`);
  return { recording, others: candidates.filter((one) => one !== recording) };
}
