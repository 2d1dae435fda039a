import { Backend } from '@devolutions/iron-remote-desktop-rdp';
import type { Inputs } from './inputs.js';

const { DeviceEvent } = Backend;

/** What `WheelEvent.deltaMode` counts in, in pixels. */
const unitPixels = [1, 33, 400];

/** One notch of a wheel turns by at most so much. */
const maxRotation = 255;

/** The mouse on a canvas, in the pixels of the desktop however large the canvas is shown. */
export function listenToPointer(canvas: HTMLCanvasElement, inputs: Inputs, signal: AbortSignal): void {
  const move = ({ clientX, clientY }: MouseEvent) => {
    const shown = canvas.getBoundingClientRect();
    const x = within(((clientX - shown.left) * canvas.width) / shown.width, canvas.width);
    const y = within(((clientY - shown.top) * canvas.height) / shown.height, canvas.height);
    return DeviceEvent.mouseMove(x, y);
  };
  const click = (event: PointerEvent, pressed: boolean): void => {
    event.preventDefault();
    const { button } = event;
    const changed = pressed ? DeviceEvent.mouseButtonPressed(button) : DeviceEvent.mouseButtonReleased(button);
    inputs.send(move(event), changed);
  };
  const down = (event: PointerEvent): void => {
    canvas.focus();
    canvas.setPointerCapture(event.pointerId);
    inputs.lockKeys(event);
    click(event, true);
  };
  const turn = (event: WheelEvent): void => {
    event.preventDefault();
    const unit = unitPixels[event.deltaMode] ?? 1;
    for (const [vertical, delta] of [
      [true, -event.deltaY],
      [false, event.deltaX],
    ] as const) {
      const amount = Math.trunc(Math.max(-maxRotation, Math.min(maxRotation, delta * unit)));
      if (amount !== 0) inputs.send(move(event), DeviceEvent.wheelRotations(vertical, amount, 0));
    }
  };
  canvas.addEventListener('pointermove', (event) => inputs.send(move(event)), { signal });
  canvas.addEventListener('pointerdown', down, { signal });
  canvas.addEventListener('pointerup', (event) => click(event, false), { signal });
  canvas.addEventListener('wheel', turn, { signal, passive: false });
  canvas.addEventListener('contextmenu', (event) => event.preventDefault(), { signal });
}

const within = (at: number, length: number): number => Math.max(0, Math.min(length - 1, Math.floor(at)));
