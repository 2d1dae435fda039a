import type { Duplex } from 'node:stream';

/** The longest identification, with its line end (RFC 4253, section 4.2). */
const maximumLine = 255;

type Listener = (data: Buffer) => void;

/**
 * Sees to it that the next listener for data on this stream receives the first
 * line whole: ssh2 loses bytes of an identification that comes in more than two
 * pieces. A line that is too long destroys the stream.
 */
export function holdFirstLine(stream: Duplex): void {
  const on = stream.on.bind(stream);
  const patched = stream as { on: unknown };
  patched.on = (event: string, listener: (...args: unknown[]) => void) => {
    if (event !== 'data') return on(event, listener);
    Reflect.deleteProperty(patched, 'on');
    return on(event, held(stream, listener));
  };
}

function held(stream: Duplex, listener: Listener): Listener {
  let line: Buffer | undefined = Buffer.alloc(0);
  return (data) => {
    if (!line) return listener(data);
    line = Buffer.concat([line, data]);
    const end = line.indexOf('\n');
    if (end < 0 ? line.length > maximumLine : end >= maximumLine) return void stream.destroy();
    if (end < 0) return;
    const whole = line;
    line = undefined;
    listener(whole);
  };
}
