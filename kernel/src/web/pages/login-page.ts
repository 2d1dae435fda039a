import { html, type Html } from './html.js';
import { alert, layout } from './layout.js';
import { loginPath } from './next-page.js';

export interface LoginPage {
  readonly cluster: string;
  readonly token: string;
  /** Where the user goes afterwards. */
  readonly next: string;
  readonly user?: string | undefined;
  /** Why the last attempt did not succeed. */
  readonly problem?: string | undefined;
  /** The password worked once: another one must be chosen. */
  readonly newPassword?: boolean | undefined;
}

/** The form to log in. Nothing secret that was sent comes back in it. */
export function loginPage({ cluster, token, next, user = '', problem, newPassword }: LoginPage): Html {
  const form = html`<form class="narrow" method="post" action="${loginPath(next)}">
    <input type="hidden" name="token" value="${token}" />
    <label for="user">User</label>
    <input
      id="user"
      name="user"
      value="${user}"
      autocomplete="username"
      autocapitalize="none"
      spellcheck="false"
      maxlength="64"
      required
      ${focusIf(user === '')}
    />
    <label for="password">${newPassword ? 'One-time password' : 'Password'}</label>
    <input
      id="password"
      name="password"
      type="password"
      autocomplete="current-password"
      maxlength="1024"
      required
      ${focusIf(user !== '')}
    />
    ${newPassword ? chooseFields : codeField}
    <button type="submit">${newPassword ? 'Set the password and log in' : 'Log in'}</button>
  </form>`;
  const title = newPassword ? 'Choose a password' : 'Log in';
  return layout({ cluster, title, body: [problem !== undefined && alert(problem), form] });
}

const focusIf = (wanted: boolean): Html => (wanted ? html`autofocus` : html``);

const codeField = html`<label for="code">Code of your authenticator application</label>
  <input
    id="code"
    name="code"
    inputmode="numeric"
    autocomplete="one-time-code"
    maxlength="16"
    aria-describedby="code-hint"
  />
  <div class="hint" id="code-hint">Leave it empty if you have not enrolled one.</div>`;

const chooseFields = html`<label for="new-password">New password</label>
  <input
    id="new-password"
    name="newPassword"
    type="password"
    autocomplete="new-password"
    minlength="12"
    maxlength="1024"
    aria-describedby="new-hint"
    required
  />
  <div class="hint" id="new-hint">At least 12 characters.</div>
  <label for="repeated">New password once more</label>
  <input id="repeated" name="repeated" type="password" autocomplete="new-password" maxlength="1024" required />`;
