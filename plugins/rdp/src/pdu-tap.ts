import { PosternError, type Tap } from '@postern/plugin-sdk';
import { Malformed } from './bytes.js';
import { PduSplitter } from './wire.js';

/** What becomes of a PDU: it goes on as it is, or other PDUs instead of it; none to drop it. */
export type Verdict = readonly Buffer[] | undefined;

export type PduHandler = (pdu: Buffer) => Verdict | Promise<Verdict>;

/**
 * A tap that sees whole PDUs and forwards whole PDUs only, so that both sides
 * always are between two of them when a session is cut. Chunks of PDUs that go
 * on as they are pass without being copied.
 */
export function pduTap(handle: PduHandler): Tap {
  const splitter = new PduSplitter();
  return (chunk) =>
    guarded(() => {
      const { pdus, whole } = splitter.push(chunk);
      const verdicts: Verdict[] = [];
      for (const [index, pdu] of pdus.entries()) {
        const verdict = handle(pdu);
        if (verdict instanceof Promise) return rest(handle, pdus, { index, verdict, verdicts });
        verdicts.push(verdict);
      }
      return joined(pdus, verdicts, whole);
    });
}

async function rest(
  handle: PduHandler,
  pdus: readonly Buffer[],
  held: { readonly index: number; readonly verdict: Promise<Verdict>; readonly verdicts: Verdict[] },
): Promise<Buffer> {
  try {
    const verdicts = [...held.verdicts, await held.verdict];
    for (const pdu of pdus.slice(held.index + 1)) verdicts.push(await handle(pdu));
    return joined(pdus, verdicts, undefined);
  } catch (cause) {
    throw violation(cause);
  }
}

function joined(pdus: readonly Buffer[], verdicts: readonly Verdict[], whole: Buffer | undefined): Buffer {
  if (whole && verdicts.every((verdict) => verdict === undefined)) return whole;
  return Buffer.concat(pdus.flatMap((pdu, index) => verdicts[index] ?? [pdu]));
}

function guarded<T>(run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw violation(cause);
  }
}

/** Bytes without a meaning, as the error that ends a session. */
export function violation(cause: unknown): unknown {
  if (!(cause instanceof Malformed)) return cause;
  return new PosternError('protocol_violation', cause.message, { publicMessage: 'malformed RDP', cause });
}
