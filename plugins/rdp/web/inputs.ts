import { Backend } from '@devolutions/iron-remote-desktop-rdp';
import type { Session } from './connection.js';

export type DeviceEvent = ReturnType<typeof Backend.DeviceEvent.keyPressed>;

/** No longer do keys wait: a browser that asks for leave may be left unanswered. */
const longestHoldMs = 5000;

/** The way of keys and mouse to the desktop, in order, also where some have to wait. */
export class Inputs {
  #held: DeviceEvent[] | undefined;

  constructor(private readonly session: Session) {}

  send(...events: readonly DeviceEvent[]): void {
    if (this.#held) {
      this.#held.push(...events);
      return;
    }
    const transaction = new Backend.InputTransaction();
    for (const event of events) transaction.addEvent(event);
    this.session.applyInputs(transaction);
  }

  /** What is sent until `ready` has settled goes on behind it, or after some seconds. */
  async holdUntil(ready: Promise<unknown>): Promise<void> {
    if (this.#held) return;
    this.#held = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, longestHoldMs)));
    await Promise.race([ready.catch(() => {}), late]);
    clearTimeout(timer);
    const held = this.#held;
    this.#held = undefined;
    if (held.length > 0) this.send(...held);
  }

  /** Lets go of everything. What still waits is dropped: it was typed with keys that are not down any more. */
  releaseAll(): void {
    if (this.#held) this.#held = [];
    this.session.releaseAllInputs();
  }

  lockKeys(event: KeyboardEvent | MouseEvent): void {
    const on = (key: string): boolean => event.getModifierState(key);
    this.session.synchronizeLockKeys(on('ScrollLock'), on('NumLock'), on('CapsLock'), on('KanaMode'));
  }
}
