import { Connection, type Session, type Size } from './connection.js';
import { DesktopClipboard } from './desktop-clipboard.js';
import { desktopView, type DesktopView } from './desktop-view.js';
import { endingOf } from './ending.js';
import { Inputs } from './inputs.js';
import { Keyboard } from './keyboard.js';
import { listenToPointer } from './pointer.js';

/** Windows are resized in many steps. */
const settleMs = 400;

/**
 * `<rdp-desktop resource user principals socket>`: a session at a desktop. The
 * attribute `state` says how far it is: `asking`, `connecting`, `connected`,
 * `ended`. To connect again is to load the page again: its login is looked at,
 * and nothing of a client that broke is left. The account that was chosen is in
 * the fragment of the page's address.
 */
class RdpDesktop extends HTMLElement {
  #view: DesktopView | undefined;
  #session: Session | undefined;
  readonly #gone = new AbortController();

  connectedCallback(): void {
    if (this.#view) return;
    const principals = (this.getAttribute('principals') ?? '').split(' ').filter(Boolean);
    const [only = ''] = principals;
    const accounts = principals.length === 1 && !only.includes('*') ? [] : principals;
    const view = desktopView(this.getAttribute('resource') ?? '', accounts);
    this.#view = view;
    this.attachShadow({ mode: 'open' }).append(view.root);
    view.form.addEventListener('submit', (event) => {
      event.preventDefault();
      const chosen = encodeURIComponent(view.account.value.trim());
      history.replaceState(null, '', accounts.length > 0 ? `#${chosen}` : location.pathname);
      location.reload();
    });
    const { hash } = location;
    view.account.value = decoded(hash.slice(1));
    if (accounts.length === 0) void this.#connect(view, only);
    else if (hash !== '' || location.href.endsWith('#')) void this.#connect(view, view.account.value);
    else this.#ask(view, 'asking', 'Which account of the desktop? Empty for the only one.');
  }

  disconnectedCallback(): void {
    this.#gone.abort();
    this.#session?.shutdown();
  }

  #ask(view: DesktopView, state: 'asking' | 'ended', message: string): void {
    this.setAttribute('state', state);
    view.state.textContent = state === 'ended' ? 'disconnected' : '';
    view.message.textContent = message;
    view.notice.hidden = false;
    for (const button of Object.values(view.buttons)) button.hidden = true;
    const first = state === 'ended' ? view.form.querySelector('button') : view.account;
    if (state === 'ended' && first) first.textContent = 'Connect again';
    first?.focus();
  }

  async #connect(view: DesktopView, account: string): Promise<void> {
    this.setAttribute('state', 'connecting');
    view.state.textContent = 'connecting…';
    await view.styled;
    const told = (text: string): void => void (view.state.textContent = text);
    const clipboard = new DesktopClipboard(told);
    const { canvas } = view;
    const connection = new Connection({
      address: `wss://${location.host}${this.getAttribute('socket') ?? ''}session`,
      resource: this.getAttribute('resource') ?? '',
      account,
      size: sizeOf(view.stage),
      canvas,
      clipboard,
      resized: () => this.#measure(view),
    });
    let cause: unknown;
    try {
      const session = await connection.open();
      this.#session = session;
      this.#show(view, { session, account, clipboard });
      await session.run();
    } catch (thrown) {
      cause = thrown;
    }
    this.#gone.abort();
    const left = this.#session === undefined && cause === undefined;
    this.#ask(view, 'ended', left ? 'You have disconnected.' : endingOf(await connection.endOf(cause)));
  }

  #show(
    view: DesktopView,
    { session, account, clipboard }: { session: Session; account: string; clipboard: DesktopClipboard },
  ): void {
    const { canvas, buttons, stage } = view;
    const { signal } = this.#gone;
    this.setAttribute('state', 'connected');
    view.state.textContent = account === '' ? 'connected' : `connected as ${account}`;
    const inputs = new Inputs(session);
    const keyboard = new Keyboard(inputs, { clipboard, leave: () => buttons.attention.focus() });
    keyboard.listen(canvas, signal);
    listenToPointer(canvas, inputs, signal);
    const here = (): void => void clipboard.offer('unasked').then(() => clipboard.take());
    window.addEventListener('focus', here, { signal });
    canvas.addEventListener('focus', here, { signal });
    buttons.attention.addEventListener('click', () => (keyboard.attention(), canvas.focus()), { signal });
    buttons.whole.addEventListener('click', () => void this.#whole(canvas), { signal });
    buttons.fit.addEventListener('click', () => view.form.requestSubmit(), { signal });
    buttons.leave.addEventListener(
      'click',
      () => {
        this.#session = undefined;
        session.shutdown();
      },
      { signal },
    );
    for (const name of ['attention', 'whole', 'leave'] as const) buttons[name].hidden = false;
    this.#follow(stage, session);
    this.#measure(view);
    canvas.focus();
  }

  /** Asks the desktop for the size of the window whenever that has settled. Some follow, others are shown smaller. */
  #follow(stage: HTMLElement, session: Session): void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let asked = sizeOf(stage);
    const observer = new ResizeObserver(() => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const { width, height } = sizeOf(stage);
        if (this.#gone.signal.aborted || (width === asked.width && height === asked.height)) return;
        asked = { width, height };
        session.resize(width, height);
        if (this.#view) this.#measure(this.#view);
      }, settleMs);
    });
    observer.observe(stage);
    this.#gone.signal.addEventListener('abort', () => observer.disconnect());
  }

  /** Offers to connect again where the desktop has another size than the window. */
  #measure({ stage, canvas, buttons }: DesktopView): void {
    const { width, height } = sizeOf(stage);
    buttons.fit.hidden = Math.abs(canvas.width - width) < 8 && Math.abs(canvas.height - height) < 8;
  }

  async #whole(canvas: HTMLCanvasElement): Promise<void> {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await this.requestFullscreen();
    canvas.focus();
  }
}

/** What the protocol allows: even, and neither tiny nor enormous. */
const side = (length: number): number => Math.max(200, Math.min(4096, Math.floor(length / 2) * 2));

const sizeOf = ({ clientWidth, clientHeight }: HTMLElement): Size => ({
  width: side(clientWidth),
  height: side(clientHeight),
});

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

customElements.define('rdp-desktop', RdpDesktop);
