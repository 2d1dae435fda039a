import type { z } from 'zod';

/**
 * Who may call an endpoint: anybody, any verified user, a user whose roles have
 * a rule for this kind and verb, or a proxy of the cluster and nobody else.
 */
export type Access = 'public' | 'user' | 'proxy' | { readonly kind: string; readonly verb: Verb };

export const verbs = ['list', 'read', 'create', 'update', 'delete'] as const;
export type Verb = (typeof verbs)[number];

/**
 * One call of the cluster's HTTP API, as data: the server routes by it, clients
 * are typed by it, and the OpenAPI document is generated from it.
 *
 * `input` is one flat object. Its members that the path names in braces come
 * from the path; the others from the query of a GET or DELETE, and from the
 * JSON body of a POST or PUT.
 */
export interface Endpoint<I extends z.ZodObject = z.ZodObject, O extends z.ZodType = z.ZodType> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Begins with `/v1/`; parameters in braces. */
  readonly path: string;
  readonly summary: string;
  readonly access: Access;
  readonly input: I;
  /** The JSON body of the answer; with `stream`, one line of it (NDJSON). With `bytes`, unused: the body is raw. */
  readonly output: O;
  readonly delivery?: 'json' | 'stream' | 'bytes';
}

export type InputOf<E extends Endpoint> = z.input<E['input']>;
export type OutputOf<E extends Endpoint> = z.output<E['output']>;

/** Declares an endpoint and keeps its exact types. */
export const endpoint = <I extends z.ZodObject, O extends z.ZodType>(declared: Endpoint<I, O>): Endpoint<I, O> =>
  Object.freeze(declared);
