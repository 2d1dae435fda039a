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

  /** The desktop is ready for what the user has copied, and says nothing itself until it was told, be it of nothing. */
  readonly opened = (): void => {
    this.#open = true;
    if (this.#session) void this.#begin(this.#session);
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
    if (this.#open) void this.#begin(session);
  }

  /** Hands the desktop what the user has copied; only where the user `asked`, browsers may ask for leave. */
  async offer(how: 'asked' | 'unasked'): Promise<void> {
    if (!this.#open || !this.#session) return;
    const text = await readText(how);
    if (text === '' || text === this.#last) return;
    if (text.length > maxText) return this.tell('The text on the clipboard is too long for the desktop.');
    await this.#send(this.#session, text);
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

  async #begin(session: Session): Promise<void> {
    const text = await readText('unasked');
    await this.#send(session, text.length > maxText ? '' : text);
  }

  async #send(session: Session, text: string): Promise<void> {
    this.#last = text;
    const data = new Backend.ClipboardData();
    if (text !== '') data.addText('text/plain', text);
    await session.onClipboardPaste(data);
  }
}

/** What the user has copied; empty where there is no text, or none of our business. */
async function readText(how: 'asked' | 'unasked'): Promise<string> {
  if (how === 'unasked' && !(await mayRead())) return '';
  return navigator.clipboard.readText().catch(() => '');
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
