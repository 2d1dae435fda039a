/** Emits events for as long as it lives, and notes the id of each one that was accepted. Killed by its test. */
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { setImmediate as tick } from 'node:timers/promises';
import { AuditLog } from '../../../src/audit/log/index.js';
import { AuditTrail } from '../../../src/audit/trail.js';
import { catalog, cluster, draft, instance, origin } from '../support.js';

const [directory = '', key = '', agent = ''] = process.argv.slice(2);
const privateKey = createPrivateKey(key);
const publicKey = Buffer.from(createPublicKey(privateKey).export({ format: 'jwk' }).x ?? '', 'base64url');

async function main(): Promise<void> {
  const log = await AuditLog.open({
    directory: `${directory}/log`,
    cluster,
    instance,
    signer: { name: origin, publicKey, sign: (bytes) => sign(null, bytes, privateKey) },
    limits: { checkpointIntervalMs: 5 },
    onNotice: (notice) => appendFileSync(`${directory}/notices`, `${JSON.stringify(notice)}\n`),
  });
  const trail = await AuditTrail.open({
    directory: `${directory}/spool`,
    cluster,
    agent,
    catalog,
    sink: log,
    now: () => new Date(),
    spool: { segmentBytes: 20_000, syncIntervalMs: 3 },
    onFailure: (error) => {
      throw error;
    },
  });
  for (let count = 0; ; count += 1) {
    const token = `${process.pid}-${count}`;
    const strength = count % 50 === 49 ? 'strict' : 'spool';
    const key = 'x'.repeat(count % 97 === 0 ? 90_000 : (count * 37) % 900);
    const hold = trail.emitter.emit(draft(token, { fields: { verb: token, key } }), strength);
    if (hold) await hold;
    // Only what is in this file was promised to anybody.
    appendFileSync(`${directory}/accepted`, `${strength} ${token}\n`);
    if (count % 20 === 0) await tick();
  }
}

await main();
