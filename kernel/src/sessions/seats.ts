import type { Outcome } from '@postern/plugin-sdk/host';
import type { AdmittedSession } from './admitted-session.js';

/** One connection's place in a session. */
export interface Seat {
  readonly session: AdmittedSession;
  /** Called once, when the connection is over. */
  leave(outcome: Outcome): Promise<void>;
}

/** Begins a session. `cut` is to be called when it must end. */
export type Begin = (cut: () => void) => Promise<AdmittedSession>;

/** Where a connection finds its session: one of its own, or one that runs already. */
export interface Seats {
  /** True where a session runs already, so that taking a seat begins none. */
  readonly taken: boolean;
  /** Rejects as `begin` does, which is called where there is no session yet. */
  take(begin: Begin): Promise<Seat>;
}

/** For protocols of which each connection is a session. */
export const ownSeats: Seats = {
  taken: false,
  async take(begin) {
    const session = await begin(() => {});
    return { session, leave: (outcome) => session.end(outcome) };
  },
};
