import { protocolError } from './wire.js';

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\u0007' };
const isSpace = (character: string | undefined): boolean => character !== undefined && /[\s\0]/.test(character);

/**
 * The words of an inline command, one character for each byte, split as Redis
 * splits them (`sds.c`, sdssplitargs): quotes may begin in the middle of a word
 * and must be followed by a space. Throws what Redis says of unbalanced ones.
 */
export function splitInline(line: string): string[] {
  const words: string[] = [];
  for (let at = 0; ;) {
    while (isSpace(line[at])) at++;
    if (at >= line.length) return words;
    const { word, end } = readWord(line, at);
    words.push(word);
    at = end;
  }
}

function readWord(line: string, start: number): { readonly word: string; readonly end: number } {
  let word = '';
  for (let at = start; ;) {
    const character = line[at];
    if (character === undefined || isSpace(character)) return { word, end: at };
    if (character !== '"' && character !== "'") {
      word += character;
      at++;
      continue;
    }
    const quoted = character === '"' ? readDouble(line, at + 1) : readSingle(line, at + 1);
    if (line[quoted.end] !== undefined && !isSpace(line[quoted.end])) throw unbalanced();
    return { word: word + quoted.word, end: quoted.end };
  }
}

/** After a `"`: escapes as in C, and `\xhh` for a byte. */
function readDouble(line: string, start: number): { readonly word: string; readonly end: number } {
  let word = '';
  for (let at = start; at < line.length; at++) {
    const character = line.charAt(at);
    if (character === '"') return { word, end: at + 1 };
    const byte = /^\\x([0-9a-f]{2})/i.exec(line.slice(at, at + 4))?.[1];
    if (byte !== undefined) {
      word += String.fromCharCode(Number.parseInt(byte, 16));
      at += 3;
    } else if (character === '\\' && at + 1 < line.length) {
      at++;
      word += escapes[line.charAt(at)] ?? line.charAt(at);
    } else word += character;
  }
  throw unbalanced();
}

/** After a `'`: only `\'` is an escape. */
function readSingle(line: string, start: number): { readonly word: string; readonly end: number } {
  let word = '';
  for (let at = start; at < line.length; at++) {
    const character = line.charAt(at);
    if (character === "'") return { word, end: at + 1 };
    if (character === '\\' && line[at + 1] === "'") {
      at++;
      word += "'";
    } else word += character;
  }
  throw unbalanced();
}

const unbalanced = () => protocolError('unbalanced quotes in request');
