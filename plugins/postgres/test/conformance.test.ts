import { conformance } from '@postern/plugin-sdk/testing';
import { serialize } from 'pg-protocol';
import plugin from '../src/index.js';
import { startupMessage } from '../src/startup.js';
import { int32 } from '../src/wire.js';
import { needPostgres, PostgresServer } from './support/postgres-server.js';

const startup = (database: string): Buffer =>
  startupMessage({ user: 'scram', database, replication: false }, new Map([['application_name', 'kit']]));
const ready = /Z\0\0\0\x05I/;

describe('with a real server', function () {
  before(function () {
    needPostgres(this);
  });
  conformance(plugin, {
    upstream: async () => {
      const settings = { max_connections: '100' };
      const server = await PostgresServer.start({ hba: ['host all scram all scram-sha-256'], settings });
      await server.sql(`create role scram login password 'pencil'; create database bench;`);
      const auth = { method: 'password', secret: 'bench' };
      return {
        spec: { host: server.host, port: server.port, tls: { mode: 'disable' }, auth },
        credentials: { secret: async () => 'pencil' },
        close: () => server[Symbol.asyncDispose](),
      };
    },
    access: { users: ['scram'], databases: ['bench'] },
    conversation: {
      steps: [
        { send: startup('bench') },
        { expect: ready },
        { send: serialize.query("select 'eff' || 'ect'") },
        { expect: /effect[^]*Z\0\0\0\x05I/ },
      ],
    },
    effect: "'eff' || 'ect'",
    forbidden: { send: startup('postgres'), receive: /^E[^]*SFATAL\0VFATAL\0C28000\0Maccess denied/ },
    refusal: /^E[^]*SFATAL\0VFATAL\0C28000\0M/,
    farewell: /E[^]{4}SFATAL\0VFATAL\0C57P01\0Mterminating connection: /,
    oversized: {
      steps: [
        { send: startup('bench') },
        { expect: ready },
        { send: Buffer.concat([Buffer.from('Q'), int32(0xffff_ffff)]) },
        { expect: /C08P01\0Minvalid message length/ },
      ],
    },
    bulk: {
      steps: [
        { send: startup('bench') },
        { expect: ready },
        { send: serialize.query("select repeat('x', 100000) from generate_series(1, 60)") },
      ],
      bytes: 6_000_000,
    },
    opening: serialize.requestSsl(),
    connectOptions: { user: 'scram' },
    patienceMs: 10_000,
  });
});
