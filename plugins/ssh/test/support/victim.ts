import { testLogin } from './account.js';
import { Authority } from './authority.js';
import { everything } from './fixture.js';
import { TestNode } from './node.js';

/** What the process under attack says of itself. */
export interface VictimReport {
  readonly port: number;
  readonly login: string;
  readonly directory: string;
  readonly userKey: string;
  readonly hostCertificate: string;
  readonly hostKey: string;
}

export interface VictimState {
  readonly rss: number;
  readonly sessions: number;
  /** Bytes that its clients have not read. */
  readonly unsent: number;
}

/** A node in a process of its own, so that its memory and its life can be watched while it is attacked. */
async function main(): Promise<void> {
  const authority = new Authority();
  const login = await testLogin();
  const credential = authority.host();
  const node = await TestNode.start(authority, {
    credential,
    allow: { logins: [login.name], permit: everything },
    config: { login_grace_seconds: 2, hang_up_seconds: 0 },
  });
  const report: VictimReport = {
    port: node.port,
    login: login.name,
    directory: authority.directory,
    userKey: authority.user({ principals: [login.name] }),
    hostCertificate: credential.certificate,
    hostKey: credential.key,
  };
  process.send?.(report);
  process.on('message', () => {
    const state: VictimState = { rss: process.memoryUsage().rss, sessions: node.sessions, unsent: node.unsent };
    process.send?.(state);
  });
  process.once('disconnect', () => {
    authority.dispose();
    process.exit(0);
  });
}

if (process.send) await main();
