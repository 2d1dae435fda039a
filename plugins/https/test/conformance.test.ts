import assert from 'node:assert/strict';
import { conformance } from '@postern/plugin-sdk/testing';
import plugin from '../src/index.js';
import { Application } from './support/application.js';

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: app\r\n${more}\r\n`;
const body = '{"made":"effect"}';
const post = `POST /shop/orders HTTP/1.1\r\nHost: app\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe('a web application', () => {
  conformance(plugin, {
    upstream: async () => {
      const application = await Application.start();
      return {
        spec: application.spec,
        received: () => application.received(),
        close: () => application[Symbol.asyncDispose](),
      };
    },
    access: { methods: ['GET', 'POST'], paths: ['/shop/*', '/bulk', '/silent'] },
    conversation: {
      steps: [
        { send: get('/shop/list') },
        { expect: /HTTP\/1\.1 200 OK[^]*"url":"\/shop\/list"/ },
        { send: post },
        { expect: /HTTP\/1\.1 200 OK[^]*made/ },
      ],
    },
    effect: '/shop/list',
    forbidden: {
      send: get('/vault/crown'),
      receive: /^HTTP\/1\.1 403 Forbidden\r\n[^]*403 Forbidden: access denied/,
    },
    never: 'vault',
    refusal: /^HTTP\/1\.1 403 Forbidden\r\n[^]*Connection: close\r\n[^]*access denied/,
    oversized: {
      send: 'POST /shop/x HTTP/1.1\r\nHost: app\r\nContent-Length: 99999999999999999999\r\n\r\n',
      receive: /^HTTP\/1\.1 400 Bad Request\r\n/,
    },
    bulk: { steps: [{ send: get('/bulk') }], bytes: 6_000_000 },
    farewell: {
      connect: async (stream, cut) => {
        let told = '';
        stream.on('data', (chunk: Buffer) => (told += chunk.toString('latin1')));
        stream.write(get('/shop/list'));
        while (!told.includes('"url"')) await new Promise((resolve) => setTimeout(resolve, 2));
        told = '';
        stream.write(get('/silent'));
        await new Promise((resolve) => setTimeout(resolve, 50));
        cut();
        while (!stream.readableEnded) await new Promise((resolve) => setTimeout(resolve, 2));
        assert.match(told, /^HTTP\/1\.1 403 Forbidden\r\n[^]*locked by an administrator/);
      },
    },
    exempt: {
      'tells the client when the resource hangs up':
        'an application that closes an idle connection is asked again on another one',
    },
    patienceMs: 10_000,
  });
});
