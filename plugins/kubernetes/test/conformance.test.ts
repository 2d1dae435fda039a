import { conformance, fakeIdentity } from '@postern/plugin-sdk/testing';
import plugin from '../src/index.js';
import { FakeApiServer } from './support/fake-api-server.js';

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: kube\r\n${more}\r\n`;
const body = '{"made":"effect"}';
const create =
  'POST /api/v1/namespaces/shop/configmaps HTTP/1.1\r\nHost: kube\r\nContent-Type: application/json\r\n' +
  `Content-Length: ${body.length}\r\n\r\n${body}`;

describe('with a server that speaks HTTP', () => {
  conformance(plugin, {
    upstream: async () => {
      const server = await FakeApiServer.start();
      return {
        spec: server.spec,
        credentials: { secret: async () => server.token },
        received: () => server.received(),
        close: () => server[Symbol.asyncDispose](),
      };
    },
    identity: fakeIdentity({ principals: { kubernetes: ['dev', 'group:developers'] } }),
    access: {
      users: ['dev'],
      groups: ['developers'],
      namespaces: ['shop'],
      verbs: ['get', 'list', 'create'],
      resources: ['pods', 'configmaps'],
    },
    conversation: {
      steps: [
        { send: get('/api/v1/namespaces/shop/pods') },
        { expect: /HTTP\/1\.1 200 OK[^]*"PodList"/ },
        { send: create },
        { expect: /HTTP\/1\.1 201 Created[^]*"made"/ },
      ],
    },
    effect: '/api/v1/namespaces/shop/pods',
    forbidden: {
      send: get('/api/v1/namespaces/vault/secrets/crown'),
      receive:
        /^HTTP\/1\.1 403 Forbidden\r\n[^]*"kind":"Status"[^]*"message":"access denied","reason":"Forbidden","code":403/,
    },
    never: 'vault',
    refusal: /^HTTP\/1\.1 403 Forbidden\r\n[^]*"kind":"Status"/,
    oversized: {
      send: 'POST /api/v1/namespaces/shop/configmaps HTTP/1.1\r\nHost: kube\r\nContent-Length: 99999999999999999999\r\n\r\n',
      receive: /^HTTP\/1\.1 400 Bad Request\r\n[^]*"Status"/,
    },
    bulk: { steps: [{ send: get('/api/v1/namespaces/shop/configmaps/bulk') }], bytes: 6_000_000 },
    patienceMs: 10_000,
  });
});
