import { Backend } from '@devolutions/iron-remote-desktop-rdp';
import type { DesktopClipboard } from './desktop-clipboard.js';
import type { DeviceEvent, Inputs } from './inputs.js';
import { scanCodeOf } from './scan-codes.js';

const { DeviceEvent } = Backend;

/** Ctrl+Alt+Del, which every system keeps to itself. */
const attention = ['ControlLeft', 'AltLeft', 'Delete'].map((code) => scanCodeOf(code) ?? 0);

/** Keys of an element, as scan codes; those that have none, of keyboards on screens, as characters. */
export class Keyboard {
  constructor(
    private readonly inputs: Inputs,
    private readonly options: {
      readonly clipboard: DesktopClipboard;
      /** Ctrl+Alt+Home was pressed, by which one leaves a desktop without a mouse. */
      readonly leave: () => void;
    },
  ) {}

  /** Takes keys until the signal aborts. */
  listen(element: HTMLElement, signal: AbortSignal): void {
    element.addEventListener('keydown', (event) => this.#key(event, true), { signal });
    element.addEventListener('keyup', (event) => this.#key(event, false), { signal });
    // Whoever goes away does not let go of keys here.
    element.addEventListener('blur', () => this.inputs.releaseAll(), { signal });
  }

  attention(): void {
    const [down, up] = [attention, attention.toReversed()];
    this.inputs.send(...down.map((code) => DeviceEvent.keyPressed(code)));
    this.inputs.send(...up.map((code) => DeviceEvent.keyReleased(code)));
  }

  #key(event: KeyboardEvent, pressed: boolean): void {
    event.preventDefault();
    event.stopPropagation();
    if (pressed && event.code === 'Home' && event.ctrlKey && event.altKey) {
      this.inputs.releaseAll();
      return this.options.leave();
    }
    if (pressed && event.code === 'KeyV' && (event.ctrlKey || event.metaKey))
      void this.inputs.holdUntil(this.options.clipboard.offer('asked'));
    const made = deviceEvent(event, pressed);
    if (made) this.inputs.send(made);
  }
}

function deviceEvent({ code, key }: KeyboardEvent, pressed: boolean): DeviceEvent | undefined {
  const scanCode = scanCodeOf(code);
  if (scanCode !== undefined) return pressed ? DeviceEvent.keyPressed(scanCode) : DeviceEvent.keyReleased(scanCode);
  if (code !== '' || [...key].length !== 1) return undefined;
  return pressed ? DeviceEvent.unicodePressed(key) : DeviceEvent.unicodeReleased(key);
}
