import { PosternError } from '@postern/plugin-sdk';

/** What a request asks of the API server, as its own authorization would read it. */
export type ApiRequest =
  | {
      readonly kind: 'resource';
      readonly verb: string;
      /** With its group and subresource: `deployments.apps/scale`. */
      readonly resource: string;
      readonly subresource: string;
      /** Empty for what belongs to no namespace. */
      readonly namespace: string;
      readonly name: string;
      readonly query: URLSearchParams;
    }
  | { readonly kind: 'path'; readonly path: string; readonly open: boolean };

const verbs: Readonly<Record<string, string>> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** Subresources of a namespace itself; any other word is a resource in it. */
const ofNamespaces: ReadonlySet<string> = new Set(['status', 'finalize']);

/** They are started by GET or POST, depending on how the client frames them, and mean the same. */
const conversations: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward']);

/** Whoever may enter may ask what there is, how it is, and what they may do: all clients do. */
const openPaths =
  /^\/(?:$|api(?:\/[^/]+)?\/?$|apis(?:\/[^/]+){0,2}\/?$|openapi\/|version\/?$|(?:healthz|livez|readyz)(?:\/|$))/;
const selfReviews =
  /^self(?:subjectaccessreviews|subjectrulesreviews)\.authorization\.k8s\.io$|^selfsubjectreviews\.authentication\.k8s\.io$/;

/** True for questions about oneself, which reveal nothing about others. */
export const isSelfReview = (request: ApiRequest): boolean =>
  request.kind === 'resource' && request.verb === 'create' && selfReviews.test(request.resource);

/**
 * Reads method and target as kube-apiserver does (RequestInfoFactory in
 * k8s.io/apiserver), which decodes the path before it takes it apart. A path
 * that another reader could take apart differently is refused: an encoded
 * slash, `.` and `..`, empty parts. Throws `invalid_argument`.
 */
export function readApiRequest(method: string, target: string): ApiRequest {
  const cut = target.indexOf('?');
  const path = cut < 0 ? target : target.slice(0, cut);
  const search = cut < 0 ? '' : target.slice(cut + 1);
  if (search.includes(';')) throw refusal('the query of the request has a semicolon');
  const parts = decodedParts(path);
  const verb = verbs[method];
  if (verb === undefined) throw refusal(`the API server knows no method ${method}`);
  return resourceRequest({ verb, parts, query: new URLSearchParams(search) }) ?? pathRequest(parts, path, verb);
}

interface Parted {
  readonly verb: string;
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
}

function pathRequest(parts: readonly string[], path: string, verb: string): ApiRequest {
  const decoded = `/${parts.join('/')}${path.length > 1 && path.endsWith('/') ? '/' : ''}`;
  return { kind: 'path', path: decoded, open: verb === 'get' && openPaths.test(decoded) };
}

function resourceRequest({ verb, parts, query }: Parted): ApiRequest | undefined {
  const [root, ...rest] = parts;
  if (root === 'api' && rest.length >= 2) return inGroup({ verb, parts: rest.slice(1), query }, '');
  if (root === 'apis' && rest.length >= 3) return inGroup({ verb, parts: rest.slice(2), query }, rest[0] ?? '');
  return undefined;
}

function inGroup({ verb: method, parts: whole, query }: Parted, group: string): ApiRequest {
  let parts = whole;
  let verb = method;
  if (parts[0] === 'watch' || parts[0] === 'proxy') {
    verb = parts[0];
    parts = parts.slice(1);
    if (parts.length === 0) throw refusal('the path of the request names no resource');
  }
  let namespace = '';
  if (parts[0] === 'namespaces' && parts[1] !== undefined) {
    namespace = parts[1];
    if (parts[2] !== undefined && !ofNamespaces.has(parts[2])) parts = parts.slice(2);
  }
  const [resource = '', name = '', subresource = ''] = parts;
  return {
    kind: 'resource',
    verb: finalVerb(verb, { name, subresource, query }),
    resource: fullName(resource, group, subresource),
    subresource,
    namespace,
    name,
    query,
  };
}

const fullName = (resource: string, group: string, subresource: string): string =>
  `${resource}${group === '' ? '' : `.${group}`}${subresource === '' ? '' : `/${subresource}`}`;

function finalVerb(verb: string, about: { name: string; subresource: string; query: URLSearchParams }): string {
  const { name, subresource, query } = about;
  if (conversations.has(subresource)) return 'create';
  if (name !== '') return verb;
  if (verb === 'delete') return 'deletecollection';
  if (verb !== 'get') return verb;
  return isTrue(query.get('watch')) ? 'watch' : 'list';
}

/** As Kubernetes reads booleans in queries: whatever is not false. */
export const isTrue = (value: string | null): boolean =>
  value !== null && value !== '0' && value.toLowerCase() !== 'false';

function decodedParts(path: string): readonly string[] {
  const raw = path.slice(1).split('/');
  // One slash at the end says nothing.
  if (raw.at(-1) === '') raw.pop();
  const proxied = raw.indexOf('proxy') + 1 || raw.length;
  return raw.map((part, at) => decodedPart(part, at >= proxied));
}

/** Behind `proxy` stands another server's path, in which an encoded slash may mean something. */
function decodedPart(part: string, foreign: boolean): string {
  let text: string;
  try {
    text = decodeURIComponent(part);
  } catch {
    throw refusal('the path of the request is not well encoded');
  }
  const strange = foreign ? /[\0\\]/ : /[\0/\\%]/;
  if (text === '.' || text === '..' || strange.test(text) || (text === '' && !foreign))
    throw refusal('the path of the request can be read in two ways');
  if (foreign && text.split('/').some((piece) => piece === '.' || piece === '..'))
    throw refusal('the path of the request can be read in two ways');
  return text;
}

const refusal = (message: string): PosternError => PosternError.public('invalid_argument', message);
