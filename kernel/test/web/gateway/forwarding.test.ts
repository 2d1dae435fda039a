import assert from 'node:assert/strict';
import { once } from 'node:events';
import type http from 'node:http';
import net from 'node:net';
import type tls from 'node:tls';
import { until } from '../../../../test/support/cluster.js';
import { forwardUpgrade } from '../../../src/web/gateway/forward-upgrade.js';
import { requestHeaders, responseHeaders } from '../../../src/web/gateway/forwarded-head.js';

const message = (...rawHeaders: string[]): http.IncomingMessage =>
  ({ rawHeaders, headers: {} }) as unknown as http.IncomingMessage;

describe('what is forwarded of a head', () => {
  it('withstands an application that sets cookies for its neighbours', () => {
    for (const domain of [
      '; Domain=apps.test',
      ';domain=.apps.test',
      '; DOMAIN = apps.test',
      '; Domain',
      ';\tDomain=',
    ]) {
      const [, cookie] = responseHeaders(message('Set-Cookie', `a=Domain=b${domain}; Path=/; Secure`));
      assert.equal(cookie, 'a=Domain=b; Path=/; Secure', domain);
    }
    assert.deepEqual(responseHeaders(message('Set-Cookie', '__Host-postern-app=x; Path=/; Secure')), []);
  });

  it('withstands an application that clears the cookies of its neighbours', () => {
    const cleared = message('Clear-Site-Data', '"cookies"', 'clear-site-data', '*', 'Content-Type', 'text/html');
    assert.deepEqual(responseHeaders(cleared), ['Content-Type', 'text/html']);
  });

  it('withstands request smuggling by framing that is spelt with an underscore', () => {
    const smuggled = ['Content_Length', '5', 'content_length', '6', 'Transfer_Encoding', 'chunked', 'Trans-fer', 'a'];
    assert.deepEqual(requestHeaders(message(...smuggled, 'Content-Length', '7')), [
      'Trans-fer',
      'a',
      'Content-Length',
      '7',
    ]);
  });
});

describe('an upgrade that is forwarded', () => {
  let servers: net.Server[];
  beforeEach(() => (servers = []));
  afterEach(() => {
    for (const server of servers) server.close();
  });

  /** Two ends of a connection. */
  const pair = async (): Promise<readonly [net.Socket, net.Socket]> => {
    const server = net.createServer().listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    const near = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1').on('error', () => {});
    const [far] = (await once(server, 'connection')) as [net.Socket];
    return [near, far.on('error', () => {})];
  };

  /** An upgrade on its way: the agent has it. */
  const begin = async () => {
    const [stream, agent] = await pair();
    const [socket, browser] = await pair();
    let text = '';
    browser.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
    const upgrade = { request: message('Host', 'wiki.test'), socket, head: Buffer.alloc(0) };
    const over = forwardUpgrade(upgrade, stream as unknown as tls.TLSSocket, '/ws');
    await once(agent, 'data');
    return { stream, agent, browser, over, said: () => text };
  };

  it('withstands an agent that declines and breaks off: there is no second head in the answer', async () => {
    const { agent, browser, over, said } = await begin();
    agent.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nhalf');
    await until(() => said().endsWith('half'));
    agent.resetAndDestroy();
    await over;
    await until(() => browser.destroyed || browser.readableEnded);
    assert.deepEqual(said().match(/HTTP\/1\.1/g), ['HTTP/1.1']);
    assert.match(said(), /half$/);
    browser.destroy();
  });

  it('is declined with the whole answer of the agent', async () => {
    const { agent, browser, over, said } = await begin();
    agent.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nno!\n');
    await over;
    await until(() => browser.destroyed || browser.readableEnded);
    assert.match(said(), /^HTTP\/1\.1 403 [^]*\r\n\r\nno!\n$/);
    browser.destroy();
  });

  it('is answered where the agent hangs up without a word', async () => {
    const { agent, browser, over, said } = await begin();
    agent.resetAndDestroy();
    await over;
    await until(() => browser.destroyed || browser.readableEnded);
    assert.match(said(), /^HTTP\/1\.1 502 /);
    browser.destroy();
  });

  it('waits for its agent as long as that takes, and ends with the browser', async () => {
    const { stream, agent, browser, over } = await begin();
    assert.equal(stream.timeout ?? 0, 0);
    browser.destroy();
    await over;
    await until(() => stream.destroyed);
    agent.destroy();
  });
});
