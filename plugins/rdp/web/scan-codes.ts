/** Keys in the order of their scan codes (set 1), each row from one code upwards; `-` has no key. */
const rows: readonly (readonly [first: number, keys: string])[] = [
  [0x01, 'Escape Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal Backspace Tab'],
  [0x10, 'KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight Enter ControlLeft'],
  [0x1e, 'KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote Backquote ShiftLeft Backslash'],
  [0x2c, 'KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash ShiftRight NumpadMultiply AltLeft Space CapsLock'],
  [0x3b, 'F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 NumLock ScrollLock Numpad7 Numpad8 Numpad9 NumpadSubtract'],
  [0x4b, 'Numpad4 Numpad5 Numpad6 NumpadAdd Numpad1 Numpad2 Numpad3 Numpad0 NumpadDecimal'],
  [0x56, 'IntlBackslash F11 F12 NumpadEqual'],
  [0x64, 'F13 F14 F15 F16 F17 F18 F19 F20 F21 F22 F23'],
  [0x70, 'KanaMode Lang2 Lang1 IntlRo - - F24 - - Convert - NonConvert - IntlYen NumpadComma'],
  [0xe01c, 'NumpadEnter ControlRight'],
  [0xe035, 'NumpadDivide - PrintScreen AltRight'],
  [0xe047, 'Home ArrowUp PageUp - ArrowLeft - ArrowRight - End ArrowDown PageDown Insert Delete'],
  [0xe05b, 'MetaLeft MetaRight ContextMenu'],
];

const codes: ReadonlyMap<string, number> = new Map(
  rows.flatMap(([first, keys]) => keys.split(' ').map((key, index) => [key, first + index] as const)),
);

/** The scan code of a key by its `KeyboardEvent.code`; `0xe0` in the high byte is the prefix of extended keys. */
export const scanCodeOf = (code: string): number | undefined => codes.get(code);
