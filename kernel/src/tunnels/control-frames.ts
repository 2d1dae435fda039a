import { z } from 'zod';
import { maxSignalBytes } from './live-connections.js';

/** The longest frame, in bytes. */
export const maxFrameBytes = 65_536;

/** How many routes one frame announces at most. */
export const maxRoutesPerFrame = 400;

const served = z.object({
  kind: z.string().regex(/^[a-z][a-z0-9-]{1,30}$/),
  label: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/),
});
const connection = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);
const text = z.string().max(500);
const ping = z.object({ type: z.literal('ping') });

/**
 * What an agent says on its control connection: one JSON object to a line. Keys
 * that a side does not know are ignored, so that two versions understand each
 * other; a frame that it does not know ends the connection.
 */
export const agentFrame = z.discriminatedUnion('type', [
  ping,
  /** Answered by `announced`, in the order of asking. */
  z.object({
    type: z.literal('announce'),
    add: z.array(served).max(maxRoutesPerFrame),
    remove: z.array(served).max(maxRoutesPerFrame),
  }),
  /** The agent will not come for this connection. */
  z.object({ type: z.literal('declined'), connection, reason: text }),
]);

/** What the proxy says on it. */
export const proxyFrame = z.discriminatedUnion('type', [
  ping,
  /** `refused` are the routes of the announcement that this agent may not serve. */
  z.object({ type: z.literal('announced'), routes: z.int().min(0), refused: z.array(served).max(maxRoutesPerFrame) }),
  /**
   * A client waits: come for it with the ticket. `raw` says that its stream is
   * encrypted end to end, so that a connection in clear carries it.
   */
  z.object({
    type: z.literal('dial'),
    ticket: z.string().regex(/^[0-9a-f]{32}$/),
    raw: z.literal(true),
    connection,
    source: z.string().max(64),
    name: z.string().max(255),
    kind: served.shape.kind,
    label: served.shape.label,
    hello: z.object({ sni: z.string().max(255).optional(), alpn: z.array(z.string().max(255)).max(16) }).optional(),
  }),
  /** A message about a connection that came on another one. */
  z.object({ type: z.literal('signal'), connection, payload: z.base64().max(4 * Math.ceil(maxSignalBytes / 3)) }),
  /** The last frame before the proxy closes. */
  z.object({ type: z.literal('goodbye'), reason: text }),
]);

export type AgentFrame = z.output<typeof agentFrame>;
export type ProxyFrame = z.output<typeof proxyFrame>;
export type DialFrame = Extract<ProxyFrame, { type: 'dial' }>;
