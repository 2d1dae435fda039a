import { createHash, timingSafeEqual } from 'node:crypto';

/** What a form carries to show that it was shown to this browser: made of a cookie that only this browser has. */
export const formToken = (cookie: string): string =>
  createHash('sha256').update(`postern form ${cookie}`, 'utf8').digest('base64url');

/** Whether a form carries the token of the cookie. */
export function isFormToken(token: string, cookie: string | undefined): boolean {
  if (cookie === undefined) return false;
  const [given, wanted] = [Buffer.from(token), Buffer.from(formToken(cookie))];
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
