import { Backend } from '@devolutions/iron-remote-desktop-rdp';
import type { Session } from './connection.js';

export type DeviceEvent = ReturnType<typeof Backend.DeviceEvent.keyPressed>;

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

  /** What is sent until `ready` has settled goes on behind it. */
  async holdUntil(ready: Promise<unknown>): Promise<void> {
    if (this.#held) return;
    this.#held = [];
    await ready.catch(() => {});
    const held = this.#held;
    this.#held = undefined;
    if (held.length > 0) this.send(...held);
  }

  releaseAll(): void {
    this.session.releaseAllInputs();
  }

  lockKeys(event: KeyboardEvent | MouseEvent): void {
    const on = (key: string): boolean => event.getModifierState(key);
    this.session.synchronizeLockKeys(on('ScrollLock'), on('NumLock'), on('CapsLock'), on('KanaMode'));
  }
}
