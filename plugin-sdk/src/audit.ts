import { z } from 'zod';

/** `secret` never leaves the agent, `sensitive` is masked for readers without the right, `public` is stored as is. */
export type Sensitivity = 'public' | 'sensitive' | 'secret';

/** Kept on the schema itself, under a registered symbol, so that two copies of the SDK agree on it. */
const mark = Symbol.for('postern:sensitivity');

const classify =
  (sensitivity: Sensitivity) =>
  <S extends z.ZodType>(schema: S): S =>
    // A copy, so that one schema can be public in one event and secret in another.
    Object.defineProperty(schema.clone(schema.def, { parent: true }), mark, { value: sensitivity });

/** Classifies a field of an audit event. A field that nobody classified is treated as secret. */
export const field = { public: classify('public'), sensitive: classify('sensitive'), secret: classify('secret') };

export interface EventType<F extends z.ZodRawShape = z.ZodRawShape> {
  /** One sentence for people: what it means that this event is in the log. */
  readonly summary: string;
  readonly fields: z.ZodObject<F>;
}

export type EventCatalog = Readonly<Record<string, EventType>>;

/** Declares one audit event: a sentence for people, a shape for machines. */
export const event = <F extends z.ZodRawShape>(summary: string, fields: F): EventType<F> => ({
  summary,
  fields: z.strictObject(fields),
});

export const isClassified = (schema: z.ZodType): boolean => Object.hasOwn(schema, mark);

export const sensitivityOf = (schema: z.ZodType): Sensitivity =>
  (schema as { readonly [mark]?: Sensitivity })[mark] ?? 'secret';

/** What may be written to the log: secret and unclassified values are replaced, and the shape stays. */
export function redact(type: EventType, fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const shape = type.fields.shape as Readonly<Record<string, z.ZodType>>;
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      const schema = shape[name];
      return [name, schema && sensitivityOf(schema) !== 'secret' ? value : '[redacted]'];
    }),
  );
}

/**
 * What a caller must wait for before it lets an effect happen: nothing, or a
 * promise. Hot paths check for `undefined` and go on in the same tick.
 */
export type Hold = void | Promise<void>;

/**
 * Where a session reports what happened, before it lets it happen. Throwing or
 * rejecting means that it could not be recorded: the effect must not follow,
 * and the kernel ends the session.
 */
export interface AuditPort<Events extends EventCatalog> {
  emit<N extends keyof Events & string>(name: N, fields: z.input<Events[N]['fields']>): Hold;
}
