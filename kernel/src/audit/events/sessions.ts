import { event, field, type EventCatalog } from '@postern/plugin-sdk';
import { z } from 'zod';

const ask = z.record(z.string(), z.json());

/** What the kernel says about every session, whatever its protocol. */
export const sessionEvents = {
  'session.start': event('A user was let into a resource. The event is stored before the first byte goes upstream.', {
    connection: field.public(z.int().nonnegative()),
    ask: field.sensitive(ask),
    roles: field.public(z.array(z.string())),
    serial: field.public(z.string()),
    mfa: field.public(z.string().optional()),
    requests: field.public(z.array(z.string()).optional()),
    via: field.public(z.string().optional()),
  }),
  'session.end': event('A session is over, whoever ended it.', {
    connection: field.public(z.int().nonnegative().optional()),
    reason: field.public(z.string()),
    code: field.public(z.string().optional()),
    message: field.sensitive(z.string().optional()),
    durationMs: field.public(z.number().nonnegative()),
    fromClient: field.public(z.int().nonnegative().optional()),
    fromUpstream: field.public(z.int().nonnegative().optional()),
  }),
  'session.denied': event(
    'Somebody asked a resource for something and was denied it: no role allows it, a rule forbids it, or the certificate that TLS showed was not believed.',
    {
      connection: field.public(z.int().nonnegative().optional()),
      code: field.public(z.string()),
      message: field.public(z.string()),
      detail: field.sensitive(z.string().optional()),
      ask: field.sensitive(ask.optional()),
      roles: field.public(z.array(z.string()).optional()),
      serial: field.public(z.string().optional()),
    },
  ),
  'connection.refused': event(
    'A connection was turned away before it asked a resource for anything: it led nowhere, broke the protocol, or showed a credential inside the protocol that was not believed.',
    {
      code: field.public(z.string().describe('What happened; the client may have been told less.')),
      message: field.public(z.string()),
      detail: field.sensitive(z.string().optional()),
      hostname: field.public(z.string().max(255).optional()),
      serial: field.public(z.string().optional()),
    },
  ),
} satisfies EventCatalog;
