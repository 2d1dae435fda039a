import assert from 'node:assert/strict';
import { ClientEnvironment } from '../src/environment.js';

const login = { name: 'web', uid: 1001, gid: 1001, home: '/srv/web', shell: '/bin/bash' };
const facts = { id: 's1', user: 'alice', source: '192.0.2.7', path: '/usr/bin' };

describe('the environment of a program', () => {
  it('is made of the login and the session, and nothing of the agent', () => {
    assert.deepEqual(new ClientEnvironment([]).of(login, facts), {
      HOME: '/srv/web',
      USER: 'web',
      LOGNAME: 'web',
      SHELL: '/bin/bash',
      PATH: '/usr/bin',
      SSH_CLIENT: '192.0.2.7 0 0',
      SSH_CONNECTION: '192.0.2.7 0 127.0.0.1 0',
      POSTERN_SESSION: 's1',
      POSTERN_USER: 'alice',
    });
  });

  it('takes from the client what is accepted', () => {
    const environment = new ClientEnvironment(['LANG', 'LC_*']);
    assert.equal(environment.set('LANG', 'C.UTF-8'), true);
    assert.equal(environment.set('LC_ALL', 'C'), true);
    for (const name of ['LANGUAGE', 'XLANG', 'lang', '', 'LC_A=B', 'LC_\0'])
      assert.equal(environment.set(name, 'x'), false, name);
    assert.equal(environment.set('LANG', 'a\0b'), false);
    assert.equal(environment.of(login, facts)['LC_ALL'], 'C');
  });

  it('never takes what loads code or hides who somebody is, whatever is accepted', () => {
    const environment = new ClientEnvironment(['*']);
    for (const name of [
      'LD_PRELOAD',
      'BASH_ENV',
      'ENV',
      'PATH',
      'HOME',
      'USER',
      'SSH_AUTH_SOCK',
      'POSTERN_USER',
      'PS4',
      'IFS',
    ])
      assert.equal(environment.set(name, 'x'), false, name);
  });

  it('is bounded', () => {
    const environment = new ClientEnvironment(['*']);
    const taken = Array.from({ length: 200 }, (_, index) => environment.set(`X${index}`, 'x')).filter(Boolean);
    assert.equal(taken.length, 64);
    assert.equal(new ClientEnvironment(['*']).set('X', 'x'.repeat(40_000)), false);
  });
});
