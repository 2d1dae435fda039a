import { PosternError } from '@postern/plugin-sdk';
import type { Prompter } from './prompter.js';

const tries = 3;

/** Asks for a new password twice. A person may try again when the two differ; a pipe may not. */
export async function askNewPassword(prompter: Prompter): Promise<string> {
  for (let left = prompter.interactive ? tries : 1; left > 0; left--) {
    const password = await prompter.hidden('New password');
    if ((await prompter.hidden('New password, again')) === password) return password;
    if (left > 1) process.stderr.write('The two are not the same.\n');
  }
  throw PosternError.public('invalid_argument', 'the two new passwords are not the same');
}
