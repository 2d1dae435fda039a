import { conformance, needProgram } from '@postern/plugin-sdk/testing';
import plugin from '../src/index.js';
import { harness } from './harness.js';
import { realMemcached } from './server.js';

describe('with a fake', () => conformance(plugin, harness));

describe('with memcached', () => {
  let program = '';
  before(function () {
    program = needProgram(this, 'memcached', 'memcached');
  });

  conformance(plugin, { ...harness, upstream: () => realMemcached(program) });
});
