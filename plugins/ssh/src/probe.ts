import { userInfo } from 'node:os';
import { inject, injectable, PosternError, type Health, type Probe } from '@postern/plugin-sdk';
import { Logins } from './login.js';
import type { Ssh } from './protocol.js';

/** A node is its own upstream: it is well when it can look up its accounts. */
@injectable()
export class SshProbe implements Probe<Ssh> {
  constructor(@inject(Logins) private readonly logins: Logins) {}

  async probe(): Promise<Health> {
    try {
      await this.logins.find(userInfo().username);
      return { ok: true };
    } catch (cause) {
      return { ok: false, reason: 'unreachable', detail: PosternError.from(cause).message };
    }
  }
}
