import { Application } from './support/application.js';
import { eventually, open } from './support/stand.js';

describe('an application that answers before it has read a large body, and keeps the connection open', () => {
  let application: Application;
  before(async () => void (application = await Application.start()));
  after(() => application[Symbol.asyncDispose]());
  beforeEach(() => {
    application.lie = (socket, request) => {
      request.pause();
      socket.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nmuch');
    };
  });

  const length = 4_000_000;
  const head = `POST /large HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;

  it('attack: a client that sends the rest goes on, or is ended, and does not hang', async function () {
    this.timeout(30_000);
    const held = await open(application.spec);
    held.client.write(`${head}${'x'.repeat(1000)}`);
    await held.until(/^HTTP\/1\.1 413 [^]*much$/);
    application.lie = undefined;
    held.client.write(Buffer.alloc(length - 1000, 'x'));
    held.client.write('GET /second HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually(
      () => held.client.readableEnded || held.client.destroyed || /"url":"\/second"/.test(held.got.text),
    );
    await held.leave();
    await eventually(() => held.host.dialled.every(({ stream }) => stream.destroyed));
  });

  it('attack: a client that does not send the rest is ended', async function () {
    this.timeout(30_000);
    const held = await open(application.spec, { config: { body_timeout_seconds: 2 } });
    held.client.write(`${head}${'x'.repeat(1000)}`);
    await held.session.done;
    held.client.destroy();
    await eventually(() => held.host.dialled.every(({ stream }) => stream.destroyed));
  });
});
