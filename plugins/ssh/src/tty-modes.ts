/** RFC 4254, section 8, and RFC 8160: control characters by opcode, as stty(1) names them. */
const characters: Readonly<Record<number, string>> = {
  1: 'intr',
  2: 'quit',
  3: 'erase',
  4: 'kill',
  5: 'eof',
  6: 'eol',
  7: 'eol2',
  8: 'start',
  9: 'stop',
  10: 'susp',
  12: 'rprnt',
  13: 'werase',
  14: 'lnext',
  18: 'discard',
};

/** Flags by opcode. What Linux has no word for (`dsusp`, `status`, `pendin`, character size) is left out. */
const flags: Readonly<Record<number, string>> = {
  30: 'ignpar',
  31: 'parmrk',
  32: 'inpck',
  33: 'istrip',
  34: 'inlcr',
  35: 'igncr',
  36: 'icrnl',
  37: 'iuclc',
  38: 'ixon',
  39: 'ixany',
  40: 'ixoff',
  41: 'imaxbel',
  42: 'iutf8',
  50: 'isig',
  51: 'icanon',
  52: 'xcase',
  53: 'echo',
  54: 'echoe',
  55: 'echok',
  56: 'echonl',
  57: 'noflsh',
  58: 'tostop',
  59: 'iexten',
  60: 'echoctl',
  61: 'echoke',
  70: 'opost',
  71: 'olcuc',
  72: 'onlcr',
  73: 'ocrnl',
  74: 'onocr',
  75: 'onlret',
};

const disabledCharacter = 255;
/** Opcodes from here on have no argument of known length: reading stops. */
const firstUnknown = 160;

/**
 * The encoded terminal modes of a pty request (`byte opcode | uint32 value`,
 * ended by opcode 0) as arguments for stty(1). Words and numbers of this
 * table only: nothing that the client chose reaches the command line.
 */
export function sttyArguments(modes: Buffer): readonly string[] {
  const words: string[] = [];
  for (let at = 0; at + 5 <= modes.length; at += 5) {
    const opcode = modes[at] ?? 0;
    if (opcode === 0 || opcode >= firstUnknown) break;
    const value = modes.readUInt32BE(at + 1);
    const character = characters[opcode];
    const flag = flags[opcode];
    if (character !== undefined) words.push(character, characterWord(value));
    else if (flag !== undefined) words.push(value === 0 ? `-${flag}` : flag);
  }
  return words;
}

const characterWord = (value: number): string =>
  value === disabledCharacter ? 'undef' : `0x${(value & 0xff).toString(16).padStart(2, '0')}`;
