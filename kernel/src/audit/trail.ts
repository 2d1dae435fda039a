import type { Catalog } from './catalog.js';
import { type DeliveryLimits, Delivery } from './delivery.js';
import { AuditEmitter } from './emitter.js';
import { EventSealer } from './event-sealer.js';
import type { EventDraft } from './event.js';
import type { AuditSink } from './sink.js';
import { Spool, type SpoolLimits } from './spool/index.js';

export interface TrailOptions {
  /** The spool's directory. */
  readonly directory: string;
  readonly cluster: string;
  /** The instance that observes what is emitted. */
  readonly agent: string;
  readonly catalog: Catalog;
  readonly sink: AuditSink;
  readonly now: () => Date;
  readonly spool?: Partial<SpoolLimits>;
  readonly delivery?: Partial<DeliveryLimits>;
  /** Called when even the event that tells of trouble could not be written. */
  readonly onFailure: (error: unknown) => void;
}

/** One instance's way from an event to the log: emitter, spool and delivery, opened and closed together. */
export class AuditTrail implements AsyncDisposable {
  private constructor(
    readonly emitter: AuditEmitter,
    readonly spool: Spool,
    readonly delivery: Delivery,
  ) {}

  /** Rejects as {@link Spool.open} does. Losing the sink for long is itself an event of the trail. */
  static async open(options: TrailOptions): Promise<AuditTrail> {
    const { directory, cluster, agent, catalog, now } = options;
    const sealer = new EventSealer({ catalog, cluster, now });
    const limits = options.spool && { limits: options.spool };
    const spool = await Spool.open({ directory, agent, sealer, ...limits });
    const note = (draft: EventDraft): void => {
      try {
        Promise.resolve(emitter.emit(draft)).catch(options.onFailure);
      } catch (cause) {
        options.onFailure(cause);
      }
    };
    const delivery = Delivery.start({
      spool,
      sink: options.sink,
      now,
      ...(options.delivery && { limits: options.delivery }),
      onLost: ({ reason, since, backlog }) =>
        note({ type: 'audit.unavailable', fields: { reason, since: since.toISOString(), backlog } }),
      onRestored: ({ since }) => note({ type: 'audit.restored', fields: { since: since.toISOString() } }),
    });
    const emitter = new AuditEmitter({ sealer, spool, delivery });
    return new AuditTrail(emitter, spool, delivery);
  }

  /** Stops at once: what was not delivered stays in the spool. Await `delivery.idle()` first to leave it empty. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.delivery[Symbol.asyncDispose]();
    await this.spool[Symbol.asyncDispose]();
  }
}
