/** The parts of the page that something happens to. */
export interface DesktopView {
  readonly root: DocumentFragment;
  /** Resolves when sizes can be measured. */
  readonly styled: Promise<unknown>;
  readonly stage: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly state: HTMLElement;
  readonly notice: HTMLElement;
  readonly message: HTMLElement;
  readonly form: HTMLFormElement;
  readonly account: HTMLInputElement;
  readonly buttons: Readonly<Record<'attention' | 'fit' | 'whole' | 'leave', HTMLButtonElement>>;
}

/** Makes an element with attributes and what is in it. */
function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string>> = {},
  ...content: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...content);
  return element;
}

const button = (text: string, more: Readonly<Record<string, string>> = {}): HTMLButtonElement =>
  make('button', { type: 'button', hidden: '', ...more }, text);

/** Makes the page of a desktop. `accounts`: what a user may choose from, none where there is nothing to choose. */
export function desktopView(resource: string, accounts: readonly string[]): DesktopView {
  const buttons = {
    attention: button('Ctrl+Alt+Del'),
    fit: button('Fit to window', { title: 'Connects again, in the size of the window' }),
    whole: button('Full screen'),
    leave: button('Disconnect'),
  };
  const state = make('span', { class: 'state', role: 'status' });
  const bar = make('div', { class: 'bar' }, make('a', { href: '/web/' }, 'Resources'), make('strong', {}, resource));
  bar.append(state, ...Object.values(buttons));
  const label = `Desktop ${resource}. Ctrl, Alt and Home together lead out of it.`;
  const canvas = make('canvas', { tabindex: '0', role: 'application', 'aria-label': label });
  const message = make('p', { role: 'alert' });
  const account = make('input', { id: 'account', list: 'accounts', autocomplete: 'off', maxlength: '128' });
  const known = accounts.filter((name) => !name.includes('*')).map((value) => make('option', { value }));
  const choice = [
    make('label', { for: 'account' }, 'Account'),
    account,
    make('datalist', { id: 'accounts' }, ...known),
  ];
  const form = make('form', {}, ...(accounts.length > 0 ? choice : []), make('button', { type: 'submit' }, 'Connect'));
  const notice = make('div', { class: 'notice', hidden: '' }, message, form);
  const stage = make('div', { class: 'stage' }, canvas, notice);
  const root = document.createDocumentFragment();
  const style = make('link', { rel: 'stylesheet', href: new URL('./desktop.css', import.meta.url).pathname });
  const styled = new Promise((resolve) => ['load', 'error'].forEach((end) => style.addEventListener(end, resolve)));
  root.append(style, bar, stage);
  return { root, styled, stage, canvas, state, notice, message, form, account, buttons };
}
