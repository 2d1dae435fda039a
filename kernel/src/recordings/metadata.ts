import { z } from 'zod';

/** `metadata.json` of one recording: written at its start, and once more, with `ended`, when it is complete. */
export const recordingMetadata = z.strictObject({
  version: z.literal(1),
  session: z.string(),
  recording: z.string(),
  /** The kind in the protocol's declaration. */
  kind: z.string(),
  format: z.enum(['terminal', 'lines', 'packets']),
  user: z.string(),
  resourceKind: z.string(),
  resource: z.string(),
  cluster: z.string(),
  started: z.iso.datetime(),
  ended: z.iso.datetime().optional(),
  durationMs: z.number().nonnegative(),
  bytes: z.number().nonnegative(),
  /** SHA-256 of each data file, in hexadecimal; set when the recording is complete. */
  hashes: z.record(z.string(), z.string()).optional(),
  /** True where the process died before it could complete the recording, and its successor did. */
  recovered: z.boolean().optional(),
  header: z.record(z.string(), z.unknown()),
});

export type RecordingMetadata = z.output<typeof recordingMetadata>;

/** The data files of each format. */
export const recordingFiles = {
  terminal: ['output', 'timing', 'marks.jsonl'],
  lines: ['lines.jsonl'],
  packets: ['packets.jsonl.br'],
} as const satisfies Record<RecordingMetadata['format'], readonly string[]>;
