import { PosternError } from '@postern/plugin-sdk';
import { AuditReader, type AuditEvent } from '../audit/index.js';
import type { ClusterState } from './open-state.js';
import type { Report } from './report.js';

/** How long a start waits until the log has what the last run left in its spool. */
const deliveryMs = 60_000;

const types = ['session.start', 'session.end', 'cluster.started', 'cluster.stopped'];

/**
 * Gives the sessions of a run that was killed the end that they did not get:
 * what has a start in the log has an end. Called before this run says that it
 * started. Rejects with `audit_unavailable` where the spool cannot be emptied.
 */
export async function endInterrupted(state: ClusterState, report: Report): Promise<void> {
  await delivered(state);
  const { unfinished, lastSeen } = await lookBack(state);
  await Promise.all(
    unfinished.map(({ time, session, user, resource, source, fields }) =>
      report(
        'session.end',
        { session, user, resource, source },
        {
          connection: fields['connection'],
          reason: 'interrupted',
          code: 'aborted',
          message: 'the process ended in the middle of the session',
          durationMs: Math.max(0, Date.parse(lastSeen) - Date.parse(time)),
        },
      ),
    ),
  );
}

async function delivered({ trail: { spool, delivery } }: ClusterState): Promise<void> {
  const { written } = spool;
  await delivery.idle(AbortSignal.timeout(deliveryMs));
  if (spool.acknowledged < written)
    throw new PosternError(
      'audit_unavailable',
      `the events of the last run cannot be delivered: ${delivery.state.reason ?? 'no answer'}`,
    );
}

/** Reads the log backwards to where the last run of this instance began, or said that it had ended everything. */
async function lookBack({
  auditLog,
  agent,
}: ClusterState): Promise<{ readonly unfinished: readonly AuditEvent[]; readonly lastSeen: string }> {
  const reader = new AuditReader({ directory: auditLog.directory, live: auditLog });
  const ended = new Set<string | undefined>();
  const unfinished: AuditEvent[] = [];
  let lastSeen = '';
  for (let cursor: number | undefined; ;) {
    const page = await reader.find({ types, agent, limit: 1000, ...(cursor !== undefined && { cursor }) });
    for (const { event } of page.events) {
      if (event.type.startsWith('cluster.')) return { unfinished, lastSeen };
      if (lastSeen === '') lastSeen = event.time;
      if (event.type === 'session.end') ended.add(event.session);
      else if (!ended.has(event.session)) unfinished.push(event);
    }
    if (page.next === undefined) return { unfinished, lastSeen };
    cursor = page.next;
  }
}
