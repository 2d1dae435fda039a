import { z } from 'zod';

/** Where sessions lie in the store, each under the hash of its cookie. */
export const sessionsPrefix = 'web-sessions';

const instant = z.iso.datetime();

/** A session of a browser as the Auth Service keeps it. */
export const sessionRecord = z.strictObject({
  /** Names it to others. */
  id: z.string(),
  user: z.string(),
  /** As they were at the login: a change of them raises the user's generation, which ends the session. */
  roles: z.array(z.string()),
  traits: z.record(z.string(), z.array(z.string())),
  generation: z.int().positive(),
  mfa: z.strictObject({ device: z.string(), at: instant }).optional(),
  /** Where the login came from. */
  address: z.string(),
  created: instant,
  lastUsed: instant,
  expires: instant,
});
export type SessionRecord = z.output<typeof sessionRecord>;

/** A session that nobody uses for so long is over. */
const idleMs = 3_600_000;

/** When a session is over if nobody uses it any more. */
export const endOf = ({ lastUsed, expires }: SessionRecord): Date =>
  new Date(Math.min(Date.parse(lastUsed) + idleMs, Date.parse(expires)));
