import { needProgram } from '@postern/plugin-sdk/testing';
import { testLogin } from './account.js';
import { Authority } from './authority.js';
import { TestNode, type NodeOptions } from './node.js';
import { OpenSsh } from './openssh.js';
import { closeTerminals } from './terminal.js';
import type { Login } from '../../src/login.js';

/** One node with one user of it, made for a describe block. */
export interface Fixture {
  readonly authority: Authority;
  readonly login: Login;
  readonly node: TestNode;
  readonly client: OpenSsh;
}

/** Everything that a login may do. */
export const everything = {
  shell: true,
  exec: true,
  pty: true,
  sftp: true,
  forward: true,
  reverse_forward: true,
  agent_forward: true,
  x11: true,
};

/** Starts the node before the tests of a block and stops it afterwards. */
export function fixture(permit: Readonly<Record<string, unknown>> = everything, options: NodeOptions = {}): Fixture {
  const made: { value?: Fixture } = {};
  before(async function () {
    this.timeout(20_000);
    for (const program of ['ssh', 'scp', 'sftp', 'ssh-keygen']) needProgram(this, program, 'openssh-client');
    const authority = new Authority();
    const login = await testLogin();
    const node = await TestNode.start(authority, { allow: { logins: [login.name], permit }, ...options });
    const key = authority.user({ principals: [login.name] });
    made.value = { authority, login, node, client: new OpenSsh(authority, node.port, key) };
  });
  afterEach(closeTerminals);
  after(async () => {
    await made.value?.node.close();
    made.value?.authority.dispose();
  });
  const value = (): Fixture => {
    if (!made.value) throw new Error('the fixture is used outside of its tests');
    return made.value;
  };
  return {
    get authority() {
      return value().authority;
    },
    get login() {
      return value().login;
    },
    get node() {
      return value().node;
    },
    get client() {
      return value().client;
    },
  };
}
