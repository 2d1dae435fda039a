import { z } from 'zod';
import { endpoint } from './endpoint.js';

/** The envelope of an event, open to the fields of every type. */
export const eventView = z
  .object({
    id: z.string(),
    time: z.iso.datetime(),
    type: z.string(),
    cluster: z.string(),
    agent: z.string(),
    sequence: z.int(),
  })
  .catchall(z.unknown());

const filter = {
  type: z.string().describe('A type or the beginning of one, such as `session.`.').optional(),
  user: z.string().optional(),
  session: z.string().optional(),
  resource: z.string().describe('`kind/name`.').optional(),
  text: z.string().max(256).optional(),
};

export const searchEvents = endpoint({
  method: 'GET',
  path: '/v1/audit/events',
  summary: 'Searches the audit log, newest first.',
  access: { kind: 'audit', verb: 'list' },
  input: z.object({
    ...filter,
    from: z.iso.datetime().optional(),
    to: z.iso.datetime().optional(),
    limit: z.coerce.number().int().min(1).max(1000).default(100),
    /** The `next` of an earlier answer. */
    cursor: z.string().optional(),
  }),
  output: z.object({ events: z.array(eventView), next: z.string().optional() }),
});

export const tailEvents = endpoint({
  method: 'GET',
  path: '/v1/audit/tail',
  summary: 'Sends the last events and then each new one, as NDJSON, until the caller goes away.',
  access: { kind: 'audit', verb: 'list' },
  input: z.object({ ...filter, last: z.coerce.number().int().min(0).max(1000).default(10) }),
  output: eventView,
  delivery: 'stream',
});

export const getCheckpoint = endpoint({
  method: 'GET',
  path: '/v1/audit/checkpoint',
  summary: 'Shows the newest signed checkpoint and the key that verifies it: keep it to detect a rollback later.',
  access: { kind: 'audit', verb: 'read' },
  input: z.object({}),
  output: z.object({ checkpoint: z.string(), verifier: z.string() }),
});
