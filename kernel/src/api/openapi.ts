import { z } from 'zod';
import type { Endpoint } from './contract/index.js';

/** Describes endpoints as an OpenAPI 3.1 document, generated from their schemas. */
export function openApi(
  about: { readonly cluster: string; readonly version: string },
  endpoints: readonly Endpoint[],
): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const endpoint of endpoints) (paths[endpoint.path] ??= {})[endpoint.method.toLowerCase()] = operation(endpoint);
  return {
    openapi: '3.1.0',
    info: { title: 'Postern', version: about.version },
    servers: [{ url: `https://auth.${about.cluster}` }],
    components: {
      securitySchemes: { certificate: { type: 'mutualTLS' } },
      schemas: {
        Error: {
          type: 'object',
          required: ['error'],
          properties: {
            error: {
              type: 'object',
              required: ['code', 'message'],
              properties: { code: { type: 'string' }, message: { type: 'string' } },
            },
          },
        },
      },
    },
    paths,
  };
}

function operation({ method, path, summary, access, input, output, delivery = 'json' }: Endpoint): object {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
  const schema = z.toJSONSchema(input, { io: 'input', unrepresentable: 'any' }) as JsonObject;
  const properties = Object.entries(schema.properties ?? {});
  const rest = properties.filter(([name]) => !inPath.includes(name));
  const required = (name: string): boolean => schema.required?.includes(name) ?? false;
  const hasBody = method === 'POST' || method === 'PUT';
  const queried = hasBody ? [] : rest;
  const parameters = [
    ...inPath.map((name) => ({ name, in: 'path', required: true, schema: schema.properties?.[name] ?? {} })),
    ...queried.map(([name, value]) => ({ name, in: 'query', required: required(name), schema: value })),
  ];
  const body = {
    type: 'object',
    properties: Object.fromEntries(rest),
    required: rest.map(([name]) => name).filter(required),
  };
  return {
    operationId: operationId(method, path),
    summary,
    ...(access === 'public' ? {} : { security: [{ certificate: [] }] }),
    ...(typeof access === 'object' ? { 'x-postern-rule': access } : {}),
    parameters,
    ...(hasBody ? { requestBody: { content: { 'application/json': { schema: body } } } } : {}),
    responses: {
      200: { description: 'Done.', content: content(output, delivery) },
      default: {
        description: 'Refused, and why.',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
}

interface JsonObject {
  readonly properties?: Readonly<Record<string, object>>;
  readonly required?: readonly string[];
}

function content(output: z.ZodType, delivery: NonNullable<Endpoint['delivery']>): object {
  if (delivery === 'bytes') return { 'application/octet-stream': {} };
  const schema = z.toJSONSchema(output, { io: 'output', unrepresentable: 'any' });
  return { [delivery === 'stream' ? 'application/x-ndjson' : 'application/json']: { schema } };
}

/** What generators of clients call it: `getUsersName` for `GET /v1/users/{name}`. Unique, since method and path are. */
const operationId = (method: string, path: string): string =>
  [method.toLowerCase(), ...path.split('/').slice(2)]
    .map((word) => word.replaceAll(/[^A-Za-z0-9]/g, ''))
    .map((word, index) => (index === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1)))
    .join('');
