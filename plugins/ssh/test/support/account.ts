import { execFileSync } from 'node:child_process';
import { userInfo } from 'node:os';
import { SystemLogins, type Login } from '../../src/login.js';

const name = 'postern-test';

/**
 * The login that the tests become: an account of their own where they run as
 * root, the current user where they do not. The account stays, so that the
 * next run finds it.
 */
export async function testLogin(): Promise<Login> {
  const logins = new SystemLogins();
  if (process.getuid?.() !== 0) return logins.find(userInfo().username);
  try {
    return await logins.find(name);
  } catch {
    execFileSync('useradd', ['--create-home', '--shell', '/bin/bash', '--groups', 'users', name]);
    return logins.find(name);
  }
}

export const isRoot = process.getuid?.() === 0;
