import { PosternError } from '@postern/plugin-sdk';
import { accessProblems } from './access.js';
import { boundsProblem } from './bounded.js';
import type { Protocols } from './compile-role.js';
import { compileLabels } from './labels.js';
import { problemText, schemaProblems, suggestion, type Path, type Problem } from './problem.js';
import { apiKinds, entriesOf, roleDocument, type Role, type RoleEntry } from './role.js';

/** What a check of a role document found. With a problem there is no role; warnings are for its author to judge. */
export interface RoleCheck {
  readonly role?: Role;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/**
 * Checks a role before it is stored: its shape, its templates, and the access
 * keys of every protocol that is enabled here by that protocol's own schema. An
 * unknown protocol is a warning, since its plugin may be enabled elsewhere.
 */
export function checkRole(document: unknown, protocols: Protocols): RoleCheck {
  const bounds = boundsProblem(document);
  if (bounds) return { problems: [bounds], warnings: [] };
  const result = roleDocument.safeParse(document);
  if (!result.success) return { problems: schemaProblems(roleDocument, document, result.error.issues), warnings: [] };
  const role = result.data;
  const found = [checkClause(role, 'allow', protocols), checkClause(role, 'deny', protocols)];
  const problems = found.flatMap((one) => one.problems);
  const warnings = found.flatMap((one) => one.warnings);
  return problems.length > 0 ? { problems, warnings } : { role, problems, warnings };
}

/** The role, or `invalid_argument` with every problem on a line of its own. */
export function parseRole(document: unknown, protocols: Protocols): Role {
  const { role, problems } = checkRole(document, protocols);
  if (!role) throw PosternError.public('invalid_argument', problems.map(problemText).join('\n'));
  return role;
}

type Found = Pick<RoleCheck, 'problems' | 'warnings'>;

function checkClause(role: Role, clause: 'allow' | 'deny', protocols: Protocols): Found {
  const written = role[clause];
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  written?.rules?.forEach(({ kinds }, rule) =>
    kinds.forEach((kind, index) => {
      if (kind === '*' || apiKinds.includes(kind)) return;
      const message = `the API of this version has no kind ${kind}; ${suggestion(kind, apiKinds)}`;
      warnings.push({ path: [clause, 'rules', rule, 'kinds', index], message });
    }),
  );
  for (const [id, entries] of entriesOf(written)) {
    if (id !== '*' && !protocols.has(id)) {
      const hint = suggestion(id, [...protocols.keys(), 'rules']);
      warnings.push({ path: [clause, id], message: `no protocol ${id} is enabled here; ${hint}` });
    }
    entries.forEach((entry, index) => {
      const path = Array.isArray(written?.[id]) ? [clause, id, index] : [clause, id];
      problems.push(...entryProblems(id, entry, protocols).map((problem) => below(path, problem)));
      warnings.push(...entryWarnings(clause, id, entry).map((message) => ({ path, message })));
    });
  }
  return { problems, warnings };
}

function entryProblems(id: string, { labels = {}, ...keys }: RoleEntry, protocols: Protocols): readonly Problem[] {
  const templates = Object.entries(labels).flatMap(([key, values]) => {
    const selector = compileLabels({ [key]: values });
    if (key.includes('{{')) return [{ path: ['labels', key], message: 'the name of a label takes no template' }];
    return selector.kind === 'malformed' ? [{ path: ['labels', key], message: selector.problem }] : [];
  });
  const protocol = protocols.get(id);
  return protocol ? [...templates, ...accessProblems(protocol, keys)] : templates;
}

function entryWarnings(clause: 'allow' | 'deny', id: string, { labels = {}, ...keys }: RoleEntry): readonly string[] {
  const hasLabels = Object.keys(labels).length > 0;
  if (clause === 'deny')
    return hasLabels ? [] : ["has no labels, so it is about every resource; write labels: { '*': '*' } to say so"];
  const hasKeys = id === '*' || Object.keys(keys).length > 0;
  return [
    ...(hasLabels ? [] : ["has no labels, so it allows nothing; labels: { '*': '*' } are about every resource"]),
    ...(hasKeys ? [] : ['has labels only, so it allows nothing']),
  ];
}

const below = (path: Path, problem: Problem): Problem => ({ ...problem, path: [...path, ...problem.path] });
