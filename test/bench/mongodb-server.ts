import { readFile } from 'node:fs/promises';
import { Long } from 'mongodb';
import { ScriptedServer, type ScriptedOptions } from '../../plugins/mongodb/test/support/scripted-server.js';

// A process of its own for benchmarks: a server that answers at once, in clear and in TLS, whose ports it prints.
const [, , certificate = '', key = ''] = process.argv;

/** 1 MB each, four batches of twelve. */
const batch = Array.from({ length: 12 }, (_, n) => ({ n, text: 'abcdefgh'.repeat(125_000) }));
const batches = 4;
let left = 0;

const options: ScriptedOptions = {
  script: ({ find, getMore, $db }) => {
    const ns = `${String($db)}.bulk`;
    if (getMore !== undefined) {
      left -= 1;
      return { cursor: { nextBatch: batch, id: left > 0 ? (getMore as Long) : Long.ZERO, ns }, ok: 1 };
    }
    if (find !== 'bulk')
      return find === undefined ? undefined : { cursor: { firstBatch: [{ x: 1 }], id: Long.ZERO, ns }, ok: 1 };
    left = batches - 1;
    return { cursor: { firstBatch: batch, id: Long.fromNumber(900), ns }, ok: 1 };
  },
};

const clear = await ScriptedServer.start(options);
const pems = { certificate: await readFile(certificate, 'utf8'), key: await readFile(key, 'utf8') };
const secure = await ScriptedServer.start({ ...options, tls: pems });
process.stdout.write(`${clear.endpoint.port} ${secure.endpoint.port}\n`);
