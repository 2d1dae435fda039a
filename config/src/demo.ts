import { userInfo } from 'node:os';
import { hostLabel, type AuthService } from '@postern/kernel/cluster';
import { oneTimePassword } from '@postern/kernel/identity';
import type { DemoAccess } from '@postern/kernel/cli';

/** What `npm start` begins with: a user, and this machine as a server to log in to. */
export async function demo(auth: AuthService): Promise<DemoAccess> {
  const user = 'demo';
  const password = oneTimePassword();
  const login = userInfo().username;
  const node = hostLabel('node');
  await auth.documents.put({ kind: 'ssh', name: node, labels: { env: 'demo' }, spec: {} }, 'postern');
  await auth.users.createWithOneTimePassword(
    { name: user, roles: ['access', 'auditor'], traits: { logins: [login], db_users: [login], db_names: [login] } },
    password,
    'postern',
  );
  return {
    user,
    password,
    tries: [
      ['psh ls', 'what you may reach'],
      [`ssh ${login}@${node}`, 'stock OpenSSH, through Postern'],
      ['psh recordings ls', 'what was recorded'],
      ['postern audit tail', 'what happened'],
      ['postern audit verify', 'the proof that nothing of it is missing'],
    ],
  };
}
