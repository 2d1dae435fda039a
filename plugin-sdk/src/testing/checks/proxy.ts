import type { ProxyModule } from '../../plugin.js';
import type { AnyProtocol } from '../../protocol.js';
import type { Plugin } from '../../plugin.js';
import type { Bench } from '../bench.js';
import type { Harness } from '../harness.js';
import { assure, needs, type CheckGroup } from './check.js';

/** What a plugin makes of the first bytes of a connection, as they come in one by one. */
function verdict(proxy: ProxyModule, bytes: Buffer): 'yes' | 'no' | 'more' {
  for (let length = 1; length <= bytes.length; length += 1) {
    const head = bytes.subarray(0, length);
    const answer = proxy.recognise(head);
    assure(answer === proxy.recognise(Buffer.from(head)), 'recognise answers differently the second time');
    if (answer !== 'more') return answer;
  }
  return 'more';
}

const hasProxy = (_harness: Harness, plugin: Plugin): string | undefined =>
  plugin.proxy ? undefined : 'the plugin has no proxy half';

async function foreign(bench: Bench<AnyProtocol>): Promise<void> {
  const proxy = await bench.plugin.proxy?.();
  if (!proxy) return;
  // The head of a ClientHello of TLS, which the proxy routes by itself.
  const hello = Buffer.from('16030100f8010000f40303', 'hex');
  assure(verdict(proxy, hello) === 'no', 'a ClientHello is taken for this protocol');
  for (const byte of [0x00, 0x41, 0x7f, 0xff]) {
    const answer = verdict(proxy, Buffer.alloc(1024, byte));
    assure(answer !== 'more', `1024 bytes of ${byte} are not enough to recognise that this is something else`);
  }
}

export const proxying: CheckGroup = {
  title: 'proxy',
  checks: [
    {
      name: 'recognises the opening of its clients, byte by byte',
      missing: (harness, plugin) => hasProxy(harness, plugin) ?? needs('opening')(harness),
      run: async (bench) => {
        const proxy = await bench.plugin.proxy?.();
        const opening = Buffer.from(bench.harness.opening ?? '');
        assure(proxy && verdict(proxy, opening) === 'yes', 'the opening of a native client is not recognised');
      },
    },
    { name: 'leaves other openings alone', missing: hasProxy, run: foreign },
  ],
};
