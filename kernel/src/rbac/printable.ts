/** A text from outside, cut to `limit` characters and safe for one line of a terminal or a protocol message. */
export function printable(text: string, limit = 128): string {
  const cut = text.length <= limit ? text : `${text.slice(0, limit - 1)}…`;
  // Nearly every text is plain, and the general pattern is slow.
  return /^[ -~]*$/.test(cut) ? cut : cut.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
}
