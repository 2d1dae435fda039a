import type { Context } from 'hono';
import { PosternError } from '@postern/plugin-sdk';

/** Documents are a few levels deep. Whoever walks a value later must not run out of stack. */
const maxDepth = 64;

/**
 * The one flat object that an endpoint takes: the parameters of the path, with
 * the query of a GET or DELETE, or the JSON object in the body. Rejects with
 * `invalid_argument` for a body of another type, so that no browser can be made
 * to send one from elsewhere without being asked first.
 */
export async function requestInput(c: Context): Promise<Record<string, unknown>> {
  const fromPath = c.req.param() as Record<string, unknown>;
  if (c.req.method === 'GET' || c.req.method === 'DELETE') return { ...c.req.query(), ...fromPath };
  const text = await c.req.text();
  if (text === '') return fromPath;
  if (!/^application\/json\s*(;|$)/i.test(c.req.header('content-type') ?? ''))
    throw PosternError.public('invalid_argument', 'the body must be of the type application/json');
  const body = parseJson(text);
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw PosternError.public('invalid_argument', 'the body must be a JSON object');
  checkShape(body, maxDepth);
  const twice = Object.keys(fromPath).find((name) => Object.hasOwn(body, name));
  if (twice !== undefined)
    throw PosternError.public('invalid_argument', `${twice} stands in the address and not in the body`);
  return { ...body, ...fromPath };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw PosternError.public('invalid_argument', 'the body is not JSON');
  }
}

function checkShape(value: unknown, levels: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (levels === 0)
    throw PosternError.public('invalid_argument', `the body is nested more than ${maxDepth} levels deep`);
  // JSON makes a member of it; whoever copies the object would set its prototype.
  if (Object.hasOwn(value, '__proto__')) throw PosternError.public('invalid_argument', '__proto__ is no name');
  for (const one of Object.values(value)) checkShape(one, levels - 1);
}
