import { z } from 'zod';

type Path = readonly (string | number)[];

/** The keys that a schema knows at a path: of every branch, where several fit. */
export function keysAt(schema: z.ZodType, path: Path): readonly string[] {
  let here = branches(schema);
  for (const step of path) here = here.flatMap((one) => below(one, step)).flatMap(branches);
  return [...new Set(here.flatMap((one) => (one instanceof z.ZodObject ? Object.keys(one.shape) : [])))];
}

/**
 * The keys of an object that its schema does not know, whether the schema
 * refuses them or would silently leave them out.
 */
export function unknownKeys(schema: z.ZodType, value: object): readonly string[] {
  const objects = branches(schema).filter((one) => one instanceof z.ZodObject);
  const isOpen = objects.some(({ def }) => def.catchall !== undefined && !(def.catchall instanceof z.ZodNever));
  if (objects.length === 0 || isOpen) return [];
  return Object.keys(value).filter((key) => !objects.some(({ shape }) => Object.hasOwn(shape, key)));
}

/** The value at a path of a document, or `undefined`. */
export function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, step) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, step)
        ? (value as Readonly<Record<string | number, unknown>>)[step]
        : undefined,
    root,
  );
}

/** What a schema may be underneath the wrappers that zod puts around it: several for a union. */
function branches(schema: z.ZodType): readonly z.ZodType[] {
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => branches(option as z.ZodType));
  if (schema instanceof z.ZodPipe) return branches(schema.in as z.ZodType);
  if ('innerType' in schema.def) return branches(schema.def.innerType as z.ZodType);
  return [schema];
}

function below(schema: z.ZodType, step: string | number): readonly z.ZodType[] {
  if (schema instanceof z.ZodObject) {
    const shape = schema.shape as Readonly<Record<string, z.ZodType>>;
    const member = Object.hasOwn(shape, step) ? shape[step] : (schema.def.catchall as z.ZodType | undefined);
    return member ? [member] : [];
  }
  if (schema instanceof z.ZodRecord) return [schema.valueType as z.ZodType];
  return schema instanceof z.ZodArray ? [schema.element as z.ZodType] : [];
}
