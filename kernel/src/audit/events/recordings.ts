import { event, field, type EventCatalog } from '@postern/plugin-sdk';
import { z } from 'zod';

/** What became of the recordings of sessions. */
export const recordingEvents = {
  'recording.completed': event('A recording is stored whole, and this is what it was when it was stored.', {
    recording: field.public(z.string()),
    kind: field.public(z.string()),
    bytes: field.public(z.int().nonnegative()),
    durationMs: field.public(z.number().nonnegative()),
    /** Of each file, by its name, in hexadecimal. */
    sha256: field.public(z.record(z.string().max(64), z.string().regex(/^[0-9a-f]{64}$/)).optional()),
    /** True where the process died before it could complete the recording, so that its last moments can be missing. */
    recovered: field.public(z.boolean().optional()),
  }),
  'recording.viewed': event('Somebody read a recording.', {
    recording: field.public(z.string()),
    file: field.public(z.string()),
    owner: field.public(z.string()),
  }),
  'recording.failed': event(
    'A recording could not be kept whole. Where the roles demand recordings, the session was ended for it.',
    {
      recording: field.public(z.string().optional()),
      kind: field.public(z.string()),
      code: field.public(z.string()),
      message: field.public(z.string()),
    },
  ),
} satisfies EventCatalog;
