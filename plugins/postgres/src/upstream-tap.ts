import type { ClientText } from './client-text.js';
import { FrameRules, FrameWalker, maxFrame, rule } from './frame-walker.js';
import type { Pipeline } from './pipeline.js';
import { readErrorFields, readParameterStatus } from './wire.js';

/** How much of one answer is read; an error report can quote a long statement. */
const holds = 65_536;

/** `I`: the server is in no transaction. */
const idle = 0x49;

const skip = { rule: rule.skip, limit: maxFrame };
const take = { rule: rule.take, limit: maxFrame };

/**
 * Data is skipped by its length. The messages of a login are refused: a server
 * that sends one to a client that has logged in is after its password.
 */
const rules = new FrameRules({
  '1': take,
  '2': take,
  '3': take,
  C: take,
  S: take,
  E: take,
  G: take,
  H: take,
  I: take,
  V: take,
  W: take,
  Z: take,
  s: take,
  d: { rule: rule.count, limit: maxFrame },
  A: skip,
  D: skip,
  N: skip,
  T: skip,
  c: skip,
  n: skip,
  t: skip,
});

/** Reads what the server answers. */
export class UpstreamTap extends FrameWalker {
  constructor(
    private readonly pipeline: Pipeline,
    private readonly reader: ClientText,
  ) {
    super(rules, holds);
  }

  /** Reads a chunk before it is forwarded. */
  push(chunk: Buffer): void {
    this.walk(chunk);
  }

  protected override frame(type: number, body: Buffer): void {
    const answer = answers[type];
    if (answer) answer(this.pipeline, body, this.reader);
  }

  protected override piece(): void {
    // What is longer than what is held is data, and the beginning of an error says enough.
  }
}

const answers: ((pipeline: Pipeline, body: Buffer, reader: ClientText) => void)[] = [];
answers[0x31] = (pipeline) => pipeline.settled('parse');
answers[0x32] = (pipeline) => pipeline.settled('bind');
answers[0x33] = (pipeline) => pipeline.settled('close');
answers[0x43] = (pipeline, body) => pipeline.completed(body.toString('latin1', 0, Math.min(body.length - 1, 100)));
answers[0x45] = (pipeline, body, reader) =>
  pipeline.error(readErrorFields(body, (bytes, from, to) => reader.read(bytes, from, to).text));
answers[0x47] = (pipeline) => pipeline.copyBegins('in');
answers[0x48] = (pipeline) => pipeline.copyBegins('out');
answers[0x49] = (pipeline) => pipeline.empty();
answers[0x53] = (_, body, reader) => {
  const { name, value } = readParameterStatus(body);
  if (name === 'client_encoding') reader.set(value);
};
answers[0x56] = (pipeline) => pipeline.returned();
answers[0x57] = (pipeline) => pipeline.copyBegins('both');
answers[0x5a] = (pipeline, body) => pipeline.ready(body[0] === idle);
answers[0x73] = (pipeline) => pipeline.suspended();
