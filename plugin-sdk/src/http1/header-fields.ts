/** One field as it was sent: the name in its own case, the value without the white space around it. */
export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

/** Names are the same where they differ in case or in `_` for `-`: some servers take one for the other. */
const canonical = (name: string): string => name.toLowerCase().replaceAll('_', '-');

/**
 * The fields of one head, in order (RFC 9110, section 5). Immutable: editing
 * gives a new list. Names are compared without regard to case, and with `_`
 * taken for `-`, so that no spelling slips past a rule. A character stands for
 * each byte of a value (latin1).
 */
export class HeaderFields implements Iterable<HeaderField> {
  constructor(private readonly fields: readonly HeaderField[] = []) {}

  static of(fields: Readonly<Record<string, string>>): HeaderFields {
    return new HeaderFields(Object.entries(fields).map(([name, value]) => ({ name, value })));
  }

  get size(): number {
    return this.fields.length;
  }

  [Symbol.iterator](): Iterator<HeaderField> {
    return this.fields[Symbol.iterator]();
  }

  /** Every value of this name, in order. */
  all(name: string): readonly string[] {
    const wanted = canonical(name);
    return this.fields.filter((field) => canonical(field.name) === wanted).map(({ value }) => value);
  }

  /** The only or first value of this name. */
  get(name: string): string | undefined {
    return this.all(name)[0];
  }

  has(name: string): boolean {
    return this.all(name).length > 0;
  }

  /** The elements of a comma-separated field in lower case, over all its lines: for lists of tokens. */
  tokens(name: string): readonly string[] {
    return this.all(name)
      .flatMap((value) => value.split(','))
      .map((token) => token.trim().toLowerCase())
      .filter((token) => token !== '');
  }

  /** Without the fields for which `drop` says so; it is given names in lower case, with `-` for `_`. */
  without(drop: (name: string) => boolean): HeaderFields {
    return new HeaderFields(this.fields.filter(({ name }) => !drop(canonical(name))));
  }

  /** With further fields at the end. Throws a TypeError for what could not stand in a head. */
  with(...added: readonly HeaderField[]): HeaderFields {
    for (const { name, value } of added) {
      if (!isToken(name)) throw new TypeError(`${JSON.stringify(name)} is not the name of a field`);
      if (!isFieldValue(value)) throw new TypeError(`the value of ${name} cannot stand in a field`);
    }
    return new HeaderFields([...this.fields, ...added]);
  }

  /** The lines as they stand in a head, each with its CRLF. */
  encode(): string {
    let text = '';
    for (const { name, value } of this.fields) text += `${name}: ${value}\r\n`;
    return text;
  }
}

/** RFC 9110, section 5.6.2. */
export const isToken = (text: string): boolean => /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$/.test(text);

/** RFC 9110, section 5.5: visible characters, bytes above 127, and spaces and tabs within; never a control character. */
export const isFieldValue = (text: string): boolean =>
  /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/.test(text);
