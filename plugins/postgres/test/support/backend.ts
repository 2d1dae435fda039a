import { errorResponse, int32, message } from '../../src/wire.js';

const text = (value: string): Buffer => Buffer.from(`${value}\0`);
const int16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);

/** What servers send, for tests that play one. */
export const backend = {
  parseComplete: message('1'),
  bindComplete: message('2'),
  closeComplete: message('3'),
  noData: message('n'),
  emptyQuery: message('I'),
  portalSuspended: message('s'),
  copyDone: message('c'),
  complete: (tag: string): Buffer => message('C', text(tag)),
  ready: (state = 'I'): Buffer => message('Z', Buffer.from(state)),
  row: (...values: string[]): Buffer =>
    message('D', int16(values.length), ...values.flatMap((value) => [int32(value.length), Buffer.from(value)])),
  rowDescription: (...names: string[]): Buffer =>
    message('T', int16(names.length), ...names.flatMap((name) => [text(name), Buffer.alloc(18)])),
  error: (sqlstate: string, words: string, severity = 'ERROR'): Buffer =>
    errorResponse({ severity, sqlstate, message: words }),
  notice: (words: string): Buffer => message('N', text(`SNOTICE`), text(`M${words}`), Buffer.alloc(1)),
  status: (name: string, value: string): Buffer => message('S', text(name), text(value)),
  keyData: (process: number, secret: number): Buffer => message('K', int32(process), int32(secret)),
  copyIn: message('G', Buffer.from([0, 0, 0])),
  copyOut: message('H', Buffer.from([0, 0, 0])),
  copyBoth: message('W', Buffer.from([0, 0, 0])),
  copyData: (data: string): Buffer => message('d', Buffer.from(data)),
  functionResult: message('V', int32(0xffffffff)),
  notification: message('A', int32(1), text('channel'), text('payload')),
  authentication: (kind: number, data = Buffer.alloc(0)): Buffer => message('R', int32(kind), data),
};

/** Messages of clients that pg-protocol does not write. */
export const frontend = {
  functionCall: (oid: number, ...values: (Buffer | null)[]): Buffer =>
    message(
      'F',
      int32(oid),
      int16(1),
      int16(1),
      int16(values.length),
      ...values.flatMap((value) => (value ? [int32(value.length), value] : [int32(-1)])),
      int16(1),
    ),
};
