import { z } from 'zod';
import { endpoint } from './endpoint.js';

export const sessionView = z.object({
  id: z.string(),
  user: z.string(),
  kind: z.string(),
  resource: z.string(),
  ask: z.record(z.string(), z.unknown()),
  source: z.string(),
  started: z.iso.datetime(),
});

export const listSessions = endpoint({
  method: 'GET',
  path: '/v1/sessions',
  summary: 'Lists the live sessions: all of them with the right to, else the caller’s own.',
  access: 'user',
  input: z.object({}),
  output: z.array(sessionView),
});

export const endSession = endpoint({
  method: 'DELETE',
  path: '/v1/sessions/{id}',
  summary: 'Ends a live session.',
  access: { kind: 'session', verb: 'delete' },
  input: z.object({ id: z.string(), message: z.string().max(512).optional() }),
  output: z.object({}),
});

export const recordingView = z.object({
  session: z.string(),
  /** Several recordings of one session are numbered. */
  recording: z.string(),
  format: z.enum(['terminal', 'lines', 'packets']),
  kind: z.string(),
  user: z.string(),
  resourceKind: z.string(),
  resource: z.string(),
  started: z.iso.datetime(),
  /** Absent while the session lives. */
  ended: z.iso.datetime().optional(),
  durationMs: z.number(),
  bytes: z.number(),
  header: z.record(z.string(), z.unknown()),
});

export const listRecordings = endpoint({
  method: 'GET',
  path: '/v1/recordings',
  summary: 'Lists recordings, newest first: all of them with the right to, else those of the caller’s own sessions.',
  access: 'user',
  input: z.object({
    session: z.string().optional(),
    user: z.string().optional(),
    limit: z.coerce.number().int().min(1).max(1000).default(100),
  }),
  output: z.array(recordingView),
});

export const getRecordingFile = endpoint({
  method: 'GET',
  path: '/v1/recordings/{session}/{recording}/{file}',
  summary: 'Sends one file of a recording as it is stored. Viewing is audited.',
  access: 'user',
  input: z.object({ session: z.string(), recording: z.string(), file: z.string() }),
  output: z.unknown(),
  delivery: 'bytes',
});
