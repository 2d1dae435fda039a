import type { PlayerModule, Plugin } from '@postern/plugin-sdk';
import type { ApiClient } from '../../api/api-client.js';
import type { RecordedSession } from '@postern/plugin-sdk';
import type { FoundRecording } from './find.js';
import { entriesOf } from './read.js';

/** The player of the protocol that made a recording, where it has one. */
export async function playerOf(
  plugins: readonly Plugin[],
  { resourceKind }: FoundRecording,
): Promise<PlayerModule | undefined> {
  return plugins.find(({ protocol }) => protocol.id === resourceKind)?.player?.();
}

/** A recording as its player sees it. */
export function recordedSession(client: ApiClient, found: FoundRecording): RecordedSession {
  const { kind, format, durationMs, header } = found;
  return {
    kind,
    format,
    durationMs,
    header,
    async *entries() {
      yield* await entriesOf(client, found);
    },
  };
}
