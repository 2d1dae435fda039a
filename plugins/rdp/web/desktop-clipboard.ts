import { Backend } from '@devolutions/iron-remote-desktop-rdp';
import type { ClipboardData, Session } from './connection.js';

/** The longest text that is carried, in UTF-16 code units. */
const maxText = 256 * 1024;

/**
 * Text on its way between the browser's clipboard and the desktop's. Nothing is
 * read before the desktop has opened its side, which it cannot where no role
 * allows it.
 */
export class DesktopClipboard {
  #session: Session | undefined;
  #open = false;
  #last = '';
  /** A text of the desktop that the browser did not take yet: it wants to be looked at while it does. */
  #pending: string | undefined;

  constructor(private readonly tell: (text: string) => void) {}

  /** The desktop is ready for what the user has copied. */
  readonly opened = (): void => {
    this.#open = true;
    void this.offer('unasked');
  };

  /** The desktop has something new. */
  readonly changed = (data: ClipboardData): void => {
    const text = data
      .items()
      .find((item) => item.mimeType() === 'text/plain')
      ?.value() as unknown;
    if (typeof text !== 'string' || text === this.#last) return;
    this.#last = text;
    this.#pending = text;
    void this.take();
  };

  attach(session: Session): void {
    this.#session = session;
    if (this.#open) void this.offer('unasked');
  }

  /** Hands the desktop what the user has copied; only where the user `asked`, browsers may ask for leave. */
  async offer(how: 'asked' | 'unasked'): Promise<void> {
    const session = this.#session;
    if (!this.#open || !session || (how === 'unasked' && !(await mayRead()))) return;
    const text = await navigator.clipboard.readText().catch(() => '');
    if (text === '' || text === this.#last) return;
    if (text.length > maxText) return this.tell('The text on the clipboard is too long for the desktop.');
    this.#last = text;
    const data = new Backend.ClipboardData();
    data.addText('text/plain', text);
    await session.onClipboardPaste(data);
  }

  /** Hands the browser what the desktop has copied, as soon as it takes it. */
  async take(): Promise<void> {
    const text = this.#pending;
    if (text === undefined) return;
    try {
      await navigator.clipboard.writeText(text);
      if (this.#pending === text) this.#pending = undefined;
    } catch {
      // Tried again when the user is here.
    }
  }
}

async function mayRead(): Promise<boolean> {
  if (!document.hasFocus()) return false;
  try {
    // Not every browser knows the name, nor does every library of types.
    const { state } = await navigator.permissions.query({ name: 'clipboard-read' as PermissionName });
    return state === 'granted';
  } catch {
    return false;
  }
}
