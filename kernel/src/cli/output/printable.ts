/** A text of somebody else's on one line of a terminal: it can neither move the cursor nor change colours. */
export const printable = (text: string): string => text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '\u{fffd}');
