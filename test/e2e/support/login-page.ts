import type { Page } from 'playwright-core';
import { testPassword } from '../../support/cluster.js';

/** Fills the form of the login that is shown. */
export async function logIn(page: Page, user: string, { password = testPassword, code = '' } = {}): Promise<void> {
  await page.getByLabel('User').fill(user);
  await page.getByLabel('Password').fill(password);
  if (code !== '') await page.getByLabel('Code of your authenticator application').fill(code);
  await page.getByRole('button', { name: 'Log in' }).click();
}
