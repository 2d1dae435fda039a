import type { Hold } from '@postern/plugin-sdk';

/** The streams of `exec` and `attach`, by what the framings of Kubernetes call them. */
export type Channel = 'stdin' | 'stdout' | 'stderr' | 'error' | 'resize';

/** Takes what a framing carried, piece by piece and in order. `last` is true at the end of a message. */
export type ChannelSink = (channel: Channel, data: Buffer, last: boolean) => Hold;

/** Follows one direction of a framing. Takes chunks as they came; throws `protocol_violation` for what is none of it. */
export interface FramingReader {
  take(chunk: Buffer): Hold;
  /** True between two frames, where one of ours could stand. */
  readonly between: boolean;
}
