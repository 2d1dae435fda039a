import { after, before, describe, it } from 'node:test';
import { conformance } from '@postern/plugin-sdk/testing';
import plugin from '../index.js';
import { because, field, packet, type } from '../packets.js';
import { startMosquitto } from './mosquitto.js';

const connect = packet(type.connect, 0, field('MQTT'), Buffer.of(5, 2, 0, 60, 0), field('kit'));
const publish = (topic, text) => packet(type.publish, 2, field(topic), Buffer.of(0, 2, 0), Buffer.from(text));
const end = packet(type.disconnect, 0);
const welcome = /\x20.\x00\x00/s;

conformance(
  plugin,
  {
    upstream: async () => {
      const broker = await startMosquitto();
      return { spec: { host: '127.0.0.1', port: broker.port }, close: broker.close };
    },
    access: { publish: ['plant/*'], subscribe: ['plant/*'] },
    conversation: {
      steps: [
        { send: connect },
        { expect: welcome },
        { send: publish('plant/kit', '21') },
        { expect: /\x40[\x02-\x04]\x00\x02/ },
        { send: end },
      ],
    },
    effect: '\x00\x09plant/kit',
    forbidden: {
      steps: [
        { send: connect },
        { expect: welcome },
        { send: publish('office/door', 'open') },
        { expect: /\x40.\x00\x02\x87.*access denied/s },
        { send: end },
      ],
    },
    never: 'office/door',
    refusal: new RegExp(`^${connackText('access denied')}$`, 's'),
    farewell: /\xe0.\x98.*locked by an administrator/s,
  },
  { describe, it, before, after },
);

function connackText(message) {
  const bytes = packet(type.connack, 0, Buffer.of(0, 0x87), because(message));
  return [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
}
