import { isAscii, isUtf8 } from 'node:buffer';

/** PostgreSQL's encodings by their canonical names, which it reports, as the Encoding Standard calls them. */
const labels: Readonly<Record<string, string>> = {
  LATIN2: 'iso-8859-2',
  LATIN3: 'iso-8859-3',
  LATIN4: 'iso-8859-4',
  LATIN5: 'iso-8859-9',
  LATIN6: 'iso-8859-10',
  LATIN7: 'iso-8859-13',
  LATIN8: 'iso-8859-14',
  LATIN9: 'iso-8859-15',
  ISO_8859_5: 'iso-8859-5',
  ISO_8859_6: 'iso-8859-6',
  ISO_8859_7: 'iso-8859-7',
  ISO_8859_8: 'iso-8859-8',
  WIN1250: 'windows-1250',
  WIN1251: 'windows-1251',
  WIN1253: 'windows-1253',
  WIN1254: 'windows-1254',
  WIN1255: 'windows-1255',
  WIN1256: 'windows-1256',
  WIN1257: 'windows-1257',
  WIN1258: 'windows-1258',
  WIN866: 'ibm866',
  WIN874: 'windows-874',
  KOI8R: 'koi8-r',
  KOI8U: 'koi8-u',
  EUC_JP: 'euc-jp',
  SJIS: 'shift_jis',
  EUC_CN: 'gb18030',
  GBK: 'gb18030',
  GB18030: 'gb18030',
  BIG5: 'big5',
  EUC_KR: 'euc-kr',
  UHC: 'euc-kr',
};

/** What Windows-1252 has for the bytes from 0x80; the decoder of some runtimes has Latin-1 for it. */
const windows1252 = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';

/** How an event names the reading of text that is none in the client's encoding: one character for each byte. */
export const asBytes = 'bytes';

export interface ReadText {
  readonly text: string;
  /** By which encoding it was read, where that was not UTF-8. */
  readonly encoding: string | undefined;
}

/**
 * Reads text in the encoding that the client speaks at the moment, which the
 * server reports (`client_encoding`). UTF-8 is what nearly every client speaks.
 * What is no text in it, or in an encoding that is unknown here, is not lost:
 * it reads as one character for each byte.
 */
export class ClientText {
  /** Undefined for UTF-8. */
  #name: string | undefined;
  #label: string | undefined;

  /** The server reported the setting, which is one of its own names for encodings. */
  set(encoding: string): void {
    const name = encoding.toUpperCase();
    this.#name = name === 'UTF8' || name === 'UNICODE' || name === '' ? undefined : name.slice(0, 64);
    this.#label = this.#name === undefined ? undefined : labels[this.#name];
  }

  /** The encoding, where it is not UTF-8. */
  get encoding(): string | undefined {
    return this.#name;
  }

  /** The whole of a text, or nothing where the bytes are no text. */
  exactly(body: Buffer, from: number, to: number): string | undefined {
    const text = this.#decoded(body, from, to, false);
    // A replacement character may have been sent as such.
    if (this.#label === undefined && text?.includes('\ufffd') === true && !isUtf8(body.subarray(from, to)))
      return undefined;
    return text;
  }

  read(body: Buffer, from: number, to: number): ReadText {
    const text = this.exactly(body, from, to);
    if (text === undefined) return { text: body.toString('latin1', from, to), encoding: asBytes };
    return { text, encoding: this.#name };
  }

  /** As {@link read}, but of no more than `limit` bytes, and no half of a character. */
  beginning(body: Buffer, from: number, to: number, limit: number): ReadText {
    if (to - from <= limit) return this.read(body, from, to);
    if (this.#label !== undefined) {
      const text = this.#decoded(body, from, from + limit, true);
      if (text !== undefined) return { text, encoding: this.#name };
    }
    return this.read(body, from, this.#isUtf8 ? wholeCharacters(body, from, from + limit) : from + limit);
  }

  /** As {@link exactly}, of a beginning. */
  exactBeginning(body: Buffer, from: number, to: number, limit: number): string | undefined {
    const { text, encoding } = this.beginning(body, from, to, limit);
    return encoding === asBytes ? undefined : text;
  }

  /** True where a text can be read in pieces whose ends lie anywhere. */
  get isSingleByte(): boolean {
    return this.#name === 'LATIN1';
  }

  get #isUtf8(): boolean {
    return this.#name === undefined || this.#name === 'SQL_ASCII';
  }

  #decoded(body: Buffer, from: number, to: number, isCut: boolean): string | undefined {
    if (this.#isUtf8) return body.toString('utf8', from, to);
    if (this.#name === 'LATIN1') return body.toString('latin1', from, to);
    if (this.#name === 'WIN1252')
      return body
        .toString('latin1', from, to)
        .replace(/[\x80-\x9f]/g, (byte) => windows1252.charAt(byte.charCodeAt(0) - 0x80));
    if (this.#label === undefined)
      return isAscii(body.subarray(from, to)) ? body.toString('latin1', from, to) : undefined;
    try {
      // A decoder that failed or was left in the middle of a character remembers it.
      return new TextDecoder(this.#label, { fatal: true }).decode(body.subarray(from, to), { stream: isCut });
    } catch {
      return undefined;
    }
  }
}

/** The last end of a character of UTF-8 at or before `end`. */
export function wholeCharacters(body: Buffer, from: number, end: number): number {
  let at = end;
  // A continuation byte begins with 10: step back to where its character begins.
  for (let back = 0; back < 3 && at > from && ((body[at] as number) & 0xc0) === 0x80; back += 1) at -= 1;
  return at;
}
