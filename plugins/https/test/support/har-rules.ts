import assert from 'node:assert/strict';

type Members = Readonly<Record<string, unknown>>;

/** Required members with their types, and those that may be there; `?` begins the name of the latter. */
type Shape = Readonly<Record<string, 'string' | 'number' | 'object' | 'array' | 'date'>>;

// HAR 1.2 specification, sections "HAR Data Structure" and below.
const log: Shape = { version: 'string', creator: 'object', entries: 'array', '?browser': 'object', '?pages': 'array', '?comment': 'string' }; // prettier-ignore
const creator: Shape = { name: 'string', version: 'string', '?comment': 'string' };
const entry: Shape = { startedDateTime: 'date', time: 'number', request: 'object', response: 'object', cache: 'object', timings: 'object', '?pageref': 'string', '?serverIPAddress': 'string', '?connection': 'string', '?comment': 'string' }; // prettier-ignore
const message: Shape = { httpVersion: 'string', cookies: 'array', headers: 'array', headersSize: 'number', bodySize: 'number', '?comment': 'string' }; // prettier-ignore
const request: Shape = { ...message, method: 'string', url: 'string', queryString: 'array', '?postData': 'object' };
const response: Shape = {
  ...message,
  status: 'number',
  statusText: 'string',
  content: 'object',
  redirectURL: 'string',
};
const content: Shape = { size: 'number', mimeType: 'string', '?compression': 'number', '?text': 'string', '?encoding': 'string', '?comment': 'string' }; // prettier-ignore
const timings: Shape = { send: 'number', wait: 'number', receive: 'number', '?blocked': 'number', '?dns': 'number', '?connect': 'number', '?ssl': 'number', '?comment': 'string' }; // prettier-ignore
const pair: Shape = { name: 'string', value: 'string', '?comment': 'string' };

/** ISO 8601 with a time zone, as the specification asks: `YYYY-MM-DDThh:mm:ss.sTZD`. */
const date = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

function isOf(type: Shape[string], value: unknown): boolean {
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  if (type === 'date') return typeof value === 'string' && date.test(value) && !Number.isNaN(Date.parse(value));
  return typeof value === type && (type !== 'number' || Number.isFinite(value));
}

function has(where: string, shape: Shape, value: unknown): Members {
  assert.ok(isOf('object', value), `${where} is no object`);
  const members = value as Members;
  for (const [key, type] of Object.entries(shape)) {
    const name = key.replace(/^\?/, '');
    if (name !== key && members[name] === undefined) continue;
    assert.ok(isOf(type, members[name]), `${where}.${name} is no ${type}: ${JSON.stringify(members[name])}`);
  }
  for (const name of Object.keys(members))
    assert.ok(
      name.startsWith('_') || shape[name] !== undefined || shape[`?${name}`] !== undefined,
      `${where}.${name} is unknown, and has no underscore`,
    );
  return members;
}

function checkRequest(where: string, value: unknown): void {
  const members = has(where, request, value);
  for (const list of ['headers', 'queryString'])
    for (const one of members[list] as readonly unknown[]) has(`${where}.${list}`, pair, one);
  const url = new URL(members['url'] as string);
  assert.equal(url.hash, '', `${where}.url has a fragment`);
  assert.equal(url.href, members['url'], `${where}.url is not how a client would have sent it`);
  const query = [...url.searchParams].map(([name, text]) => ({ name, value: text }));
  assert.deepEqual(members['queryString'], query, `${where}.queryString is not that of the URL`);
}

function checkTimings(where: string, time: unknown, value: unknown): void {
  const members = has(`${where}.timings`, timings, value);
  const phases = Object.entries(members).filter(
    ([name]) => !name.startsWith('_') && name !== 'comment' && name !== 'ssl',
  );
  for (const [name, ms] of phases)
    assert.ok((ms as number) >= (`?${name}` in timings ? -1 : 0), `${where}.timings.${name} is negative`);
  const sum = phases.reduce((all, [, ms]) => all + Math.max(0, ms as number), 0);
  assert.equal(time, sum, `${where}.time is not the sum of its timings`);
}

/** Throws where a value is no HTTP archive by the rules of HAR 1.2; the entries of one that is. */
export function harEntries(value: unknown): readonly Members[] {
  assert.deepEqual(Object.keys(value as Members), ['log']);
  const members = has('log', log, (value as Members)['log']);
  assert.equal(members['version'], '1.2');
  has('log.creator', creator, members['creator']);
  const entries = members['entries'] as readonly unknown[];
  return entries.map((one, at) => {
    const where = `log.entries[${at}]`;
    const read = has(where, entry, one);
    checkRequest(`${where}.request`, read['request']);
    const answer = has(`${where}.response`, response, read['response']);
    has(`${where}.response.content`, content, answer['content']);
    checkTimings(where, read['time'], read['timings']);
    return read;
  });
}
