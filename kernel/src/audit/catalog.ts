import { PosternError, redact, sensitivityOf, type EventCatalog, type EventType } from '@postern/plugin-sdk';
import type { z } from 'zod';
import { canonicalJson } from './canonical-json.js';
import { eventTypeName, issuesOf, type AuditEvent } from './event.js';
import { kernelEvents } from './events/index.js';
import { FieldEncoder } from './field-encoder.js';

/** The part of a protocol's declaration that the catalogue reads. */
export interface EventSource {
  readonly id: string;
  readonly audit: EventCatalog;
}

/** What readers without the right to see sensitive values get instead. */
const masked = '[masked]';

/**
 * Every type of event that this cluster may write: the kernel's own, and each
 * protocol's under `<protocol id>.`. Built once at start and never changed.
 */
export class Catalog {
  readonly #types: ReadonlyMap<string, EventType>;
  readonly #encoders: ReadonlyMap<string, FieldEncoder>;

  private constructor(types: ReadonlyMap<string, EventType>) {
    this.#types = types;
    this.#encoders = new Map([...types].flatMap(([name, type]) => encoderFor(name, type)));
  }

  /** Joins the catalogues. Refuses with `invalid_config` a name that is malformed or taken. */
  static of(protocols: Iterable<EventSource> = [], kernel: EventCatalog = kernelEvents): Catalog {
    const types = new Map<string, EventType>();
    const add = (name: string, type: EventType): void => {
      if (!eventTypeName.safeParse(name).success)
        throw new PosternError('invalid_config', `${JSON.stringify(name)} cannot name an audit event`);
      if (types.has(name)) throw new PosternError('invalid_config', `the audit event ${name} is declared twice`);
      types.set(name, type);
    };
    for (const [name, type] of Object.entries(kernel)) add(name, type);
    const areas = new Set([...types.keys()].map((name) => name.split('.')[0]));
    for (const { id, audit } of protocols) {
      if (areas.has(id)) throw new PosternError('invalid_config', `the audit events under ${id} belong to the kernel`);
      for (const [name, type] of Object.entries(audit)) add(`${id}.${name}`, type);
    }
    return new Catalog(types);
  }

  /** All types by name, sorted. */
  entries(): readonly (readonly [string, EventType])[] {
    return [...this.#types].sort(([left], [right]) => (left < right ? -1 : 1));
  }

  has(type: string): boolean {
    return this.#types.has(type);
  }

  /**
   * What may be written: the fields, checked against the type's schema, with
   * secret and unclassified values replaced. Refuses with `invalid_argument` an
   * unknown type and fields that do not fit; the message never holds a value.
   */
  check(type: string, fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
    const declared = this.#types.get(type);
    if (!declared) throw new PosternError('invalid_argument', `no audit event is called ${type}`);
    const checked = declared.fields.safeParse(fields);
    if (!checked.success)
      throw new PosternError('invalid_argument', `the audit event ${type} does not fit: ${issuesOf(checked.error)}`);
    return redact(declared, checked.data);
  }

  /** What {@link check} lets through, as canonical JSON. */
  encode(type: string, fields: Readonly<Record<string, unknown>>): string {
    return this.#encoders.get(type)?.encode(fields) ?? canonicalJson(this.check(type, fields));
  }

  /** The event for a reader who may not see sensitive values. Types that are no longer known lose every value. */
  mask(event: AuditEvent): AuditEvent {
    const shape = this.#types.get(event.type)?.fields.shape as Readonly<Record<string, z.ZodType>> | undefined;
    const fields = Object.entries(event.fields).map(([name, value]) => {
      const schema = shape?.[name];
      return [name, schema && sensitivityOf(schema) === 'public' ? value : masked];
    });
    const part = event.part && { ...event.part, text: masked };
    return { ...event, ...(part && { part }), fields: Object.fromEntries(fields) as Record<string, unknown> };
  }
}

function encoderFor(name: string, type: EventType): (readonly [string, FieldEncoder])[] {
  const encoder = FieldEncoder.for(type);
  return encoder ? [[name, encoder]] : [];
}
