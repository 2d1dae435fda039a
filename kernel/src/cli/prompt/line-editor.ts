/** What the keys typed so far have made of a line. */
export type Edited = 'typing' | 'entered' | 'interrupted' | 'ended';

const controls: Readonly<Record<string, 'enter' | 'interrupt' | 'end' | 'erase' | 'clear'>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\u0003': 'interrupt',
  '\u0004': 'end',
  '\u0008': 'erase',
  '\u007f': 'erase',
  '\u0015': 'clear',
};

const maxLine = 4096;

/** One line as it is typed on a raw terminal. Keys that send an escape sequence do nothing. */
export class LineEditor {
  #characters: string[] = [];
  #escape = '';

  get text(): string {
    return this.#characters.join('');
  }

  /** Takes one character. */
  type(character: string): Edited {
    if (this.#inEscape(character)) return 'typing';
    const control = controls[character];
    if (control === 'enter') return 'entered';
    if (control === 'interrupt') return 'interrupted';
    if (control === 'end') return this.#characters.length === 0 ? 'ended' : 'typing';
    if (control === 'erase') this.#characters.pop();
    else if (control === 'clear') this.#characters = [];
    else if (!/\p{Cc}/u.test(character) && this.#characters.length < maxLine) this.#characters.push(character);
    return 'typing';
  }

  /** ECMA-48, section 5.4: `ESC [`, parameters, one final byte. Other sequences have two characters. */
  #inEscape(character: string): boolean {
    if (this.#escape === '' && character !== '\u001b') return false;
    this.#escape += character;
    const done = this.#escape.length > 1 && !/^\u001b[[O][0-9;?]*$/.test(this.#escape);
    if (done) this.#escape = '';
    return true;
  }
}
