import type { EventCatalog } from '@postern/plugin-sdk';
import { administrationEvents } from './administration.js';
import { auditEvents } from './audit.js';
import { certificateEvents } from './certificates.js';
import { recordingEvents } from './recordings.js';
import { sessionEvents } from './sessions.js';
import { userEvents } from './users.js';

/** Every event of the kernel itself, by its full name. */
export const kernelEvents = {
  ...administrationEvents,
  ...auditEvents,
  ...certificateEvents,
  ...recordingEvents,
  ...sessionEvents,
  ...userEvents,
} satisfies EventCatalog;
