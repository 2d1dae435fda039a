import { SequenceRanges } from '../sequence-ranges.js';
import type { Problem, VerifyReport } from './report.js';
import { gapDetail } from './stream-check.js';

export interface JoinedReport {
  readonly ok: boolean;
  /** The problems of all logs, and the gaps that none of them fills. */
  readonly problems: readonly Problem[];
}

/**
 * Looks at the logs of one cluster together: an agent that went from one Auth
 * Service to another left a gap in each log, and none in both.
 */
export function joinReports(reports: readonly VerifyReport[]): JoinedReport {
  const problems = reports.flatMap((report) => report.problems.filter(({ kind }) => kind !== 'gap'));
  const streams = new Map<string, SequenceRanges>();
  for (const { agent, stream, ranges } of reports.flatMap(({ agents }) => agents)) {
    const key = `${agent} ${stream}`;
    streams.set(key, union(streams.get(key)?.runs ?? [], ranges));
  }
  const gaps = [...streams].flatMap(([at, ranges]) =>
    ranges.gaps().map((gap): Problem => ({ kind: 'gap', at, detail: gapDetail(gap) })),
  );
  const omitted = reports.some((report) => report.omitted > 0);
  return { ok: !omitted && problems.length === 0 && gaps.length === 0, problems: [...problems, ...gaps] };
}

type Runs = readonly (readonly [number, number])[];

function union(left: Runs, right: Runs): SequenceRanges {
  const merged: [number, number][] = [];
  for (const [from, to] of [...left, ...right].sort(([a], [b]) => a - b)) {
    const last = merged.at(-1);
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return new SequenceRanges(merged);
}
