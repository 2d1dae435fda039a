import { event, field, type EventCatalog } from '@postern/plugin-sdk';
import { z } from 'zod';

const sequence = z.int().nonnegative();

/** What the audit trail says about itself. */
export const auditEvents = {
  'audit.stream_started': event('An instance began a new stream: its spool was made just now, empty.', {
    version: field.public(z.int().positive()),
  }),
  'audit.quarantined': event(
    'Bytes in a spool were not a whole record. They are kept in the named file beside it; the sequence numbers between `after` and `before` are lost unless that file still shows them.',
    {
      file: field.public(z.string()),
      bytes: field.public(z.int().positive()),
      after: field.public(sequence),
      before: field.public(sequence),
    },
  ),
  'audit.unavailable': event('Events could not be delivered for longer than allowed. None was dropped.', {
    reason: field.public(z.string()),
    since: field.public(z.iso.datetime()),
    backlog: field.public(sequence),
  }),
  'audit.restored': event('Events are delivered again.', { since: field.public(z.iso.datetime()) }),
  'audit.conflict': event('An instance sent an event under a number that another event of its stream already has.', {
    agent: field.public(z.string()),
    stream: field.public(z.string()),
    sequence: field.public(sequence),
    offered: field.public(z.string()),
    kept: field.public(z.string().optional()),
  }),
  'audit.unsigned': event('The log takes events, and cannot sign checkpoints over them at the moment.', {
    reason: field.public(z.string()),
  }),
  'audit.repaired': event(
    'A log was found unfinished at a start and put in order from its journal. Bytes that were no events are in the named file.',
    {
      file: field.public(z.string().optional()),
      bytes: field.public(z.int().positive().optional()),
      unreadable: field.public(z.int().nonnegative()),
      rebuilt: field.public(z.boolean()),
    },
  ),
  'audit.gap': event('The next event of a stream came without those before it.', {
    agent: field.public(z.string()),
    stream: field.public(z.string()),
    from: field.public(sequence),
    to: field.public(sequence),
  }),
} satisfies EventCatalog;
