import { PosternError } from '@postern/plugin-sdk';
import type { RecordingMetadata, RecordingStore } from '../../recordings/index.js';
import type { Report } from '../../cluster/report.js';
import type { LiveSessions } from '../../sessions/index.js';
import { callerName, type Caller } from '../caller.js';
import { endSession, getRecordingFile, listRecordings, listSessions, type Verb } from '../contract/index.js';
import { implement, type Handler } from '../handler.js';
import { requireUser } from '../require-user.js';

export interface SessionHandlersOptions {
  readonly live: LiveSessions;
  readonly recordings: RecordingStore;
  readonly report: Report;
  /** Whether the caller's roles have a rule for it. */
  may(caller: Caller, rule: { readonly kind: string; readonly verb: Verb }): boolean;
}

export function sessionHandlers(options: SessionHandlersOptions): readonly Handler[] {
  return [
    implement(listSessions, (_, { caller }) => {
      const all = options.may(caller, { kind: 'session', verb: 'list' });
      const sessions = [...options.live].filter(({ identity }) => all || identity.user === requireUser(caller).user);
      return sessions.map(({ id, identity, kind, resource, ask, source, started }) => ({
        id,
        user: identity.user,
        kind,
        resource,
        ask: { ...ask },
        source,
        started: started.toISOString(),
      }));
    }),
    implement(endSession, ({ id, message }, { caller }) => {
      const session = options.live.get(id);
      if (!session) throw PosternError.public('not_found', `there is no live session ${id}`);
      const why = message === undefined || message === '' ? '' : `: ${message}`;
      session.cut({ code: 'unavailable', message: `${callerName(caller)} ended the session${why}` });
      return {};
    }),
    ...recordingHandlers(options),
  ];
}

function recordingHandlers(options: SessionHandlersOptions): readonly Handler[] {
  const { recordings } = options;
  return [
    implement(listRecordings, async ({ session, user, limit }, { caller }) => {
      const own = options.may(caller, { kind: 'recording', verb: 'list' }) ? undefined : requireUser(caller).user;
      if (own !== undefined && user !== undefined && user !== own) return [];
      return (await recordings.list({ session, user: own ?? user, limit })).map(viewOf);
    }),
    implement(getRecordingFile, async ({ session, recording, file }, { caller }) => {
      const found = (await recordings.list({ session, limit: 1000 })).find((one) => one.recording === recording);
      const all = options.may(caller, { kind: 'recording', verb: 'read' });
      // Somebody else's recording looks like none at all.
      if (!found || (!all && found.user !== requireUser(caller).user))
        throw PosternError.public('not_found', `there is no recording ${recording} of session ${session}`);
      await options.report(
        'recording.viewed',
        { user: callerName(caller), session, source: caller.source },
        { recording, file, owner: found.user },
      );
      return recordings.read(session, recording, file);
    }),
  ];
}

function viewOf({ version: _v, cluster: _c, hashes: _h, recovered: _r, ...metadata }: RecordingMetadata) {
  return metadata;
}
