import { once } from 'node:events';
import { definePlugin, defineProtocol, event, field as classified, matchesAny } from '@postern/plugin-sdk';
import { FrameReader, PosternError, SessionContext, write } from '@postern/plugin-sdk';
import { z } from 'zod';
import { because, field, Fields, packet, readPacket, type } from './packets.js';

/** @typedef {typeof mqtt} Mqtt */
/** @typedef {{ action?: 'publish' | 'subscribe', topic?: string }} Ask */
/** @typedef {{ publish: string[], subscribe: string[] }} Access */

/** Topics of roles. Wildcards of MQTT are none here, so that a user's trait cannot be one. */
const topics = z
  .array(
    z
      .string()
      .min(1)
      .max(512)
      .regex(/^[^+#]*$/, '`*` stands for any characters'),
  )
  .default([]);

export const mqtt = defineProtocol({
  id: 'mqtt',
  title: 'MQTT 3.1.1 and 5',
  posture: 'hostile-client',
  transport: { kind: 'tls', alpn: ['mqtt'], forward: 'port' },
  config: z.strictObject({ max_packet_bytes: z.int().min(1024).max(16_777_216).default(1_048_576) }),
  auth: {
    resource: z.strictObject({
      host: z.string().min(1).max(253),
      port: z.int().min(1).max(65_535).default(1883),
      user: z.string().max(256).optional(),
      secret: z.string().max(64).optional().describe('The password: an entry of the `secrets` of the agent.'),
    }),
    endpoints: ({ host, port }) => [{ host, port }],
    ask: z.strictObject({ action: z.enum(['publish', 'subscribe']).optional(), topic: z.string().optional() }),
    access: z.strictObject({ publish: topics, subscribe: topics }),
    permits: (access, ask) => permits(access, ask),
    forbids: (access, ask) => forbids(access, ask),
  },
  audit: {
    connect: event('A client opened a session at the broker.', {
      client: classified.public(z.string()),
      version: classified.public(z.enum(['3.1.1', '5'])),
    }),
    publish: event('A message was published.', {
      topic: classified.public(z.string()),
      bytes: classified.public(z.int()),
      qos: classified.public(z.int()),
      retain: classified.public(z.boolean()),
    }),
    subscribe: event('A client subscribed.', { topics: classified.public(z.array(z.string())) }),
  },
  recordings: { messages: { title: 'Messages', format: 'lines' } },
});

/** `a/#` is `a` too. What is behind `$share/<group>/` is a filter like any other. @param {string} filter */
const partsOf = (filter) => {
  const plain = filter.replace(/^\$share\/[^/]*\//, '');
  return plain.endsWith('/#') ? [plain, plain.slice(0, -2)] : [plain];
};

/** @param {Access} access @param {Ask} ask */
function permits({ publish, subscribe }, { action, topic }) {
  if (action === undefined || topic === undefined) return publish.length + subscribe.length > 0;
  return action === 'publish'
    ? matchesAny(publish, topic)
    : partsOf(topic).every((part) => matchesAny(subscribe, part));
}

/** A filter is forbidden where any topic that it stands for is. @param {Access} access @param {Ask} ask */
function forbids({ publish, subscribe }, { action, topic }) {
  if (action === undefined || topic === undefined) return false;
  if (action === 'publish') return matchesAny(publish, topic);
  return partsOf(topic).some((part) => subscribe.some((denied) => overlap(denied, part.replaceAll(/[+#]/g, '*'))));
}

/** True where some text fits both patterns. @param {string} left @param {string} right */
function overlap(left, right) {
  // `row[at]`: whether the first `at` characters of `right` can fit what has been seen of `left`.
  let row = [true];
  for (let at = 0; at < right.length; at += 1) row.push(row[at] && right[at] === '*');
  for (const character of left) {
    const next = [row[0] && character === '*'];
    for (let at = 0; at < right.length; at += 1) {
      const same = row[at] && character === right[at];
      const any = (character === '*' || right[at] === '*') && (row[at + 1] || next[at]);
      next.push(same || any);
    }
    row = next;
  }
  return row[right.length];
}

/** @implements {import('@postern/plugin-sdk').Session<Mqtt>} */
export class MqttSession {
  static inject = [SessionContext];

  #five = false;
  #welcomed = false;
  /** Whole packets of the two directions, one behind the other. */
  #lastWrite = Promise.resolve();

  /** @param {import('@postern/plugin-sdk').SessionContext<Mqtt>} context */
  constructor(context) {
    this.context = context;
  }

  /** @param {import('@postern/plugin-sdk').ClientLink} client */
  async open({ stream, identity }) {
    this.client = stream;
    this.frames = new FrameReader(stream, this.context.config.max_packet_bytes);
    this.connect = readConnect(await readPacket(this.frames));
    this.#five = this.connect.version === 5;
    this.user = identity?.user ?? '';
    return {};
  }

  /** @param {unknown} _client @param {import('@postern/plugin-sdk').Grant<Mqtt>} grant */
  async serve(_client, grant) {
    const { signal, audit, config } = this.context;
    const { will, id, version } = this.connect;
    if (will) {
      await grant.check({ action: 'publish', topic: will.topic });
      await audit.emit('publish', {
        topic: will.topic,
        bytes: will.payload.length,
        qos: will.qos,
        retain: will.retain,
      });
    }
    this.recording = await this.context.record('messages', { client: id });
    const upstream = await grant.dial();
    await audit.emit('connect', { client: id, version: version === 5 ? '5' : '3.1.1' });
    await write(upstream, await this.#login(grant));
    const both = Promise.all([
      this.#fromClient(upstream, grant),
      this.#fromBroker(upstream, new FrameReader(upstream, config.max_packet_bytes)),
    ]);
    if (!signal.aborted) await Promise.race([both, once(signal, 'abort')]);
  }

  /** Tells in MQTT's own words: as the answer to CONNECT, or, in version 5, as the last packet. */
  async refuse({ stream }, { code, message }) {
    const cut = this.#welcomed && (code === 'locked' || code === 'expired');
    const reason = cut ? 0x98 : code === 'limit_exceeded' ? 0x95 : 0x87;
    const words = Buffer.concat([Buffer.of(reason), because(message)]);
    if (this.#five) await write(stream, this.#welcomed ? packet(type.disconnect, 0, words) : connack(words));
    else if (!this.#welcomed) await write(stream, connack(Buffer.of(5)));
  }

  /** The client's CONNECT with a name of its own, without what others left under it, and with the agent's password. */
  async #login({ credentials }) {
    const { user, secret } = this.context.resource.spec;
    const { head, flags, keepAlive, properties, id, willBytes } = this.connect;
    const password = secret === undefined ? undefined : await credentials.secret(secret);
    const kept = (flags & 0x3c) | 0x02 | (user === undefined ? 0 : 0x80) | (password === undefined ? 0 : 0x40);
    const name = id === '' ? '' : `${this.user}.${id}`;
    const proof = [user, password].flatMap((text) => (text === undefined ? [] : [field(text)]));
    return packet(type.connect, 0, head, Buffer.of(kept), keepAlive, properties, field(name), willBytes, ...proof);
  }

  async #fromClient(upstream, grant) {
    for (let next = await readPacket(this.frames); next; next = await readPacket(this.frames)) {
      const onward = await this.#decide(next, grant);
      if (onward) await write(upstream, packet(next.type, next.flags, next.body));
    }
    upstream.end();
  }

  async #fromBroker(upstream, frames) {
    for (let next = await readPacket(frames); next; next = await readPacket(frames)) {
      if (next.type === type.publish) await this.#record('received', readPublish(next, this.#five));
      await this.#toClient(packet(next.type, next.flags, next.body));
      this.#welcomed = true;
    }
    this.client.end();
  }

  /** Answers of ours stand between packets of the broker. */
  #toClient(bytes) {
    return (this.#lastWrite = this.#lastWrite.then(() => write(this.client, bytes)));
  }

  /** Whether the packet goes on to the broker. */
  async #decide(next, grant) {
    if (next.type === type.publish) return this.#publish(readPublish(next, this.#five), grant);
    if (next.type === type.subscribe) return this.#subscribe(readSubscribe(next, this.#five), grant);
    if (!harmless.has(next.type)) throw PosternError.public('protocol_violation', `packet ${next.type} is not allowed`);
    return true;
  }

  async #publish(message, grant) {
    const { topic, qos, id, payload, retain } = message;
    const denied = await denial(grant, { action: 'publish', topic });
    if (denied === undefined) {
      await this.context.audit.emit('publish', { topic, bytes: payload.length, qos, retain });
      await this.#record('published', message);
      return true;
    }
    // Only version 5 can say no to one message, and only to one that is acknowledged.
    if (!this.#five || qos === 0) throw denied;
    const why = Buffer.concat([id, Buffer.of(0x87), because(denied.publicMessage)]);
    await this.#toClient(packet(qos === 1 ? type.puback : type.pubrec, 0, why));
    return false;
  }

  async #subscribe({ id, filters }, grant) {
    for (const topic of filters) {
      const denied = await denial(grant, { action: 'subscribe', topic });
      if (denied === undefined) continue;
      const answers = Buffer.alloc(filters.length, this.#five ? 0x87 : 0x80);
      const why = this.#five ? because(denied.publicMessage) : Buffer.alloc(0);
      await this.#toClient(packet(type.suback, 0, id, why, answers));
      return false;
    }
    await this.context.audit.emit('subscribe', { topics: filters });
    await this.recording.mark('subscribed', { topics: filters });
    return true;
  }

  async #record(mark, { topic, payload }) {
    const text = payload.subarray(0, 4096).toString();
    await this.recording.mark(mark, { topic, text, bytes: payload.length });
  }
}

const acknowledgements = [type.puback, type.pubrec, type.pubrel, type.pubcomp];
const harmless = new Set([...acknowledgements, type.unsubscribe, type.pingreq, type.disconnect]);
const connack = (words) => packet(type.connack, 0, Buffer.of(0), words);

/** Nothing where the ask is granted. What is no denial ends the session. */
async function denial(grant, ask) {
  try {
    await grant.check(ask);
    return undefined;
  } catch (cause) {
    if (PosternError.is(cause) && cause.code === 'access_denied') return cause;
    throw cause;
  }
}

function readConnect(first) {
  if (first?.type !== type.connect) throw PosternError.public('protocol_violation', 'the first packet is no CONNECT');
  const fields = new Fields(first.body);
  const name = fields.text();
  const version = fields.byte();
  if (name !== 'MQTT' || (version !== 4 && version !== 5))
    throw PosternError.public('protocol_violation', 'versions 3.1.1 and 5 are spoken here');
  const head = Buffer.concat([field(name), Buffer.of(version)]);
  const flags = fields.byte();
  const keepAlive = fields.bytes(2);
  const properties = version === 5 ? fields.properties() : Buffer.alloc(0);
  const id = fields.text();
  const { rest } = fields;
  const will = (flags & 0x04) === 0 ? undefined : readWill(fields, flags, version);
  const willBytes = rest.subarray(0, rest.length - fields.rest.length);
  return { version, head, flags, keepAlive, properties, id, will, willBytes };
}

function readWill(fields, flags, version) {
  if (version === 5) fields.properties();
  return { topic: fields.text(), payload: fields.binary(), qos: (flags >> 3) & 3, retain: (flags & 0x20) !== 0 };
}

function readPublish({ flags, body }, five) {
  const fields = new Fields(body);
  const topic = fields.text();
  if (topic === '') throw PosternError.public('protocol_violation', 'topic aliases are not spoken here');
  const qos = (flags >> 1) & 3;
  const id = fields.bytes(qos === 0 ? 0 : 2);
  if (five) fields.properties();
  return { topic, qos, id, retain: (flags & 1) !== 0, payload: fields.rest };
}

function readSubscribe({ body }, five) {
  const fields = new Fields(body);
  const id = fields.bytes(2);
  if (five) fields.properties();
  const filters = [];
  while (!fields.done) {
    filters.push(fields.text());
    fields.byte();
  }
  return { id, filters };
}

export class MqttProbe {
  /** @param {import('@postern/plugin-sdk').ProbeContext<Mqtt>} context */
  async probe(context) {
    const broker = await context.dial();
    await write(broker, packet(type.connect, 0, field('MQTT'), Buffer.of(4, 2, 0, 10), field('')));
    const answer = await readPacket(new FrameReader(broker, 1024));
    // A broker that wants a password says so, and is there.
    if (answer?.type === type.connack) return /** @type {const} */ ({ ok: true });
    return /** @type {const} */ ({ ok: false, reason: 'protocol', detail: 'the answer to CONNECT is no CONNACK' });
  }
}

export default definePlugin(mqtt, { agent: async () => ({ Session: MqttSession, Probe: MqttProbe }) });
