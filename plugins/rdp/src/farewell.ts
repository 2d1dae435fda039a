import type { Duplex } from 'node:stream';
import { FrameReader, write, type Denial } from '@postern/plugin-sdk';
import { hasSecurityFlag, securityFlag } from './client-info.js';
import { ioChannel, readClientConference, serverConference } from './conference.js';
import type { Conversation } from './conversation.js';
import {
  attachConfirm,
  channelData,
  disconnectUltimatum,
  joinConfirm,
  joinedChannel,
  kindOf,
  mcs,
  readChannelData,
} from './mcs.js';
import { errorInfo, setErrorInfo, validLicence } from './share.js';
import { requestLength } from './x224.js';

/** A denial in the words that clients have for it. */
export function errorInfoFor(code: Denial['code']): number {
  switch (code) {
    case 'access_denied':
      return errorInfo.insufficientPrivileges;
    case 'unauthenticated':
    case 'mfa_required':
    case 'expired':
      return errorInfo.freshCredentials;
    case 'locked':
      return errorInfo.administrator;
    case 'not_found':
    case 'unavailable':
      return errorInfo.notFound;
    case 'limit_exceeded':
    case 'internal':
      return errorInfo.denied;
  }
}

/** Whom we play where no desktop has given the client its number. */
const user = ioChannel - 1;

/** The last words in a session that runs. */
export function lastWords({ stage, user: own, ioChannel: channel, shareId }: Conversation, code: number): Buffer {
  if (stage !== 'active') return disconnectUltimatum;
  const words = setErrorInfo({ source: own, shareId }, code);
  return Buffer.concat([channelData(mcs.dataIndication, { user: own, channel }, words), disconnectUltimatum]);
}

/**
 * Plays a desktop to a client whose Connect-Initial was read, as far as the
 * moment at which it takes an error: behind licensing.
 */
export async function turnAway(
  stream: Duplex,
  opening: { readonly initial: Buffer; readonly protocols: number },
  code: number,
): Promise<void> {
  const { channels } = readClientConference(opening.initial);
  await write(stream, serverConference(opening.protocols, channels.length));
  const reader = new FrameReader(stream, 0xffff);
  try {
    // Domain, user, joins, info: a client that goes on longer than this is none.
    for (let pdus = 0; pdus < channels.length + 8; pdus += 1) {
      const head = Buffer.from(await reader.bytes(4));
      const answer = answerTo(Buffer.concat([head, await reader.bytes(requestLength(head) - 4)]), code);
      if (answer.length > 0) await write(stream, answer);
      if (answer.includes(disconnectUltimatum)) return;
    }
  } finally {
    reader.release();
  }
}

function answerTo(pdu: Buffer, code: number): Buffer {
  switch (kindOf(pdu)) {
    case mcs.attachRequest:
      return attachConfirm(user);
    case mcs.joinRequest:
      return joinConfirm(user, joinedChannel(pdu).channel);
    case mcs.dataRequest: {
      if (!hasSecurityFlag(readChannelData(pdu).payload, securityFlag.clientInfo)) return Buffer.alloc(0);
      const to = { user, channel: ioChannel };
      const words = [validLicence, setErrorInfo({ source: user, shareId: 0 }, code)];
      return Buffer.concat([...words.map((word) => channelData(mcs.dataIndication, to, word)), disconnectUltimatum]);
    }
    default:
      return Buffer.alloc(0);
  }
}
