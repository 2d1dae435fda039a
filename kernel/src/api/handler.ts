import type { Readable } from 'node:stream';
import type { Caller } from './caller.js';
import type { Endpoint } from './contract/index.js';
import type { z } from 'zod';

/** What a call answers: a value, or, where the endpoint says so, a stream of values or of bytes. */
export type Answer<O> = O | AsyncIterable<O> | Readable;

export interface Call {
  readonly caller: Caller;
  /** Aborts when the caller goes away. */
  readonly signal: AbortSignal;
}

/** An endpoint with what it does. */
export interface Handler {
  readonly endpoint: Endpoint;
  handle(input: unknown, call: Call): Promise<unknown>;
}

/** Joins an endpoint to its implementation, which receives input that the schema has checked. */
export function implement<I extends z.ZodObject, O extends z.ZodType>(
  endpoint: Endpoint<I, O>,
  handle: (input: z.output<I>, call: Call) => Promise<Answer<z.input<O>>> | Answer<z.input<O>>,
): Handler {
  return { endpoint, handle: async (input, call) => handle(input as z.output<I>, call) };
}
