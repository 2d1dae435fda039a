import type { Duplex } from 'node:stream';

/** The longest identification, with its line end (RFC 4253, section 4.2). */
const maximumLine = 255;

type Listener = (data: Buffer) => void;

/**
 * Feeds the next listener for data on this stream as ssh2's parser can bear it:
 * the first line whole, because bytes of an identification that comes in more
 * than two pieces are lost, and nothing while it is at work, as may happen with
 * streams in memory. A first line that is too long destroys the stream.
 */
export function feedCarefully(stream: Duplex): void {
  const on = stream.on.bind(stream);
  const patched = stream as { on: unknown };
  patched.on = (event: string, listener: (...args: unknown[]) => void) => {
    if (event !== 'data') return on(event, listener);
    Reflect.deleteProperty(patched, 'on');
    return on(event, wholeFirstLine(stream, oneAtATime(listener)));
  };
}

function wholeFirstLine(stream: Duplex, listener: Listener): Listener {
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

function oneAtATime(listener: Listener): Listener {
  const waiting: Buffer[] = [];
  let busy = false;
  return (data) => {
    waiting.push(data);
    if (busy) return;
    busy = true;
    try {
      for (let next = waiting.shift(); next; next = waiting.shift()) listener(next);
    } finally {
      busy = false;
    }
  };
}
