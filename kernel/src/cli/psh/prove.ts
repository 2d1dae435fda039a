import { PosternError } from '@postern/plugin-sdk';
import { askNewPassword } from '../prompt/new-password.js';
import type { Prompter } from '../prompt/prompter.js';

/** What a user has answered so far. */
export interface Answers {
  readonly password: string;
  readonly code?: string;
  readonly newPassword?: string;
}

const maxRounds = 5;

/** Asks for a password and for whatever else the answer says is needed. Rejects as `attempt` does in the end. */
export async function prove<T>(
  user: string,
  prompter: Prompter,
  attempt: (answers: Answers) => Promise<T>,
): Promise<T> {
  let answers: Answers = { password: await prompter.hidden(`Password of ${user}`) };
  for (let round = 0; ; round++) {
    try {
      return await attempt(answers);
    } catch (cause) {
      answers = { ...answers, ...(await moreProof(PosternError.from(cause), answers, prompter, round)) };
    }
  }
}

async function moreProof(
  error: PosternError,
  answers: Answers,
  prompter: Prompter,
  round: number,
): Promise<Partial<Answers>> {
  if (round >= maxRounds) throw error;
  if (error.code === 'mfa_required' && answers.code === undefined) return { code: (await prompter.ask('Code')).trim() };
  if (error.code === 'password_change_required' && answers.newPassword === undefined) {
    if (prompter.interactive) process.stderr.write('This password worked once. Choose your own now.\n');
    return { newPassword: await askNewPassword(prompter) };
  }
  // A new password that is too short, for example: a person may choose another.
  if (error.code === 'invalid_argument' && answers.newPassword !== undefined && prompter.interactive) {
    process.stderr.write(`${error.message}\n`);
    return { newPassword: await askNewPassword(prompter) };
  }
  throw error;
}
