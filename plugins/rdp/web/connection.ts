import { Backend, displayControl, enableCredssp, init } from '@devolutions/iron-remote-desktop-rdp';
import type { DesktopClipboard } from './desktop-clipboard.js';
import type { Ended } from './ending.js';
import { watchSockets } from './watched-socket.js';

export type Session = Awaited<ReturnType<InstanceType<typeof Backend.SessionBuilder>['connect']>>;
export type ClipboardData = InstanceType<typeof Backend.ClipboardData>;

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface ConnectOptions {
  /** Where the WebSocket leads, `wss:`. */
  readonly address: string;
  readonly resource: string;
  /** Empty where the desktop has but one account for the user. */
  readonly account: string;
  readonly size: Size;
  readonly canvas: HTMLCanvasElement;
  readonly clipboard: DesktopClipboard;
  /** The desktop has another size now. */
  readonly resized: () => void;
}

/** How long to wait for the WebSocket's last word. */
const lastWordMs = 2000;

/** One session at a desktop: IronRDP's client, and what it does not say. */
export class Connection {
  readonly #closed: Promise<CloseEvent>;
  #begun = false;

  constructor(private readonly options: ConnectOptions) {
    this.#closed = new Promise((resolve) => watchSockets(resolve));
  }

  /** Resolves when there is a picture. What it rejects with is for {@link endOf}. */
  async open(): Promise<Session> {
    const { address, resource, account, size, canvas, clipboard, resized } = this.options;
    await init('WARN');
    const builder = new Backend.SessionBuilder();
    builder.proxyAddress(address);
    builder.destination(resource);
    builder.username(account);
    // The agent has the password, and the cookie says who this is: what is demanded here is not used.
    builder.password('');
    builder.serverDomain('');
    builder.authToken('none');
    builder.desktopSize(new Backend.DesktopSize(size.width, size.height));
    builder.renderCanvas(canvas);
    builder.setCursorStyleCallback(cursorSetter(canvas));
    builder.setCursorStyleCallbackContext(null);
    builder.canvasResizedCallback(resized);
    builder.remoteClipboardChangedCallback(clipboard.changed);
    builder.forceClipboardUpdateCallback(clipboard.opened);
    builder.extension(enableCredssp(false));
    builder.extension(displayControl(true));
    this.#begun = true;
    const session = await builder.connect();
    clipboard.attach(session);
    return session;
  }

  /** What there is to say about an end: of {@link open}, or of the session's `run`. */
  async endOf(cause: unknown): Promise<Ended> {
    const late = new Promise<undefined>((resolve) => setTimeout(resolve, lastWordMs, undefined));
    const close = this.#begun ? await Promise.race([this.#closed, late]) : undefined;
    // Other codes are not the agent's.
    if (close && close.code >= 4000 && close.reason !== '') return { reason: close.reason };
    return { error: errorOf(cause), page: await pageStatus() };
  }
}

/** Shows the desktop's own pointer. */
const cursorSetter =
  (canvas: HTMLCanvasElement) =>
  (kind: string, data?: string, x?: number, y?: number): void => {
    if (kind === 'url') canvas.style.cursor = `url(${data ?? ''}) ${Math.round(x ?? 0)} ${Math.round(y ?? 0)}, default`;
    else canvas.style.cursor = kind === 'hidden' ? 'none' : 'default';
  };

/** What IronRDP throws, as far as it is used here. */
interface IronError {
  backtrace(): string;
}

const isIronError = (cause: unknown): cause is IronError =>
  typeof cause === 'object' && cause !== null && 'backtrace' in cause && typeof cause.backtrace === 'function';

function errorOf(cause: unknown): string | undefined {
  if (cause === undefined) return undefined;
  if (!isIronError(cause) && !(cause instanceof Error)) return 'for an unknown reason';
  const text = cause instanceof Error ? cause.message : cause.backtrace();
  return text.split('\n', 1)[0]?.slice(0, 200);
}

/** Whether this page would be there again: 0 where it leads to the login, undefined where nobody answers. */
async function pageStatus(): Promise<number | undefined> {
  try {
    const answer = await fetch(location.pathname, { method: 'HEAD', redirect: 'manual', cache: 'no-store' });
    return answer.type === 'opaqueredirect' ? 0 : answer.status;
  } catch {
    return undefined;
  }
}
