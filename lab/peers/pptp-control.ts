// One end of a PPTP control connection: real TCP from the host's own kernel, messages in and out
// (RFC 2637 2). Says nothing by itself; pptp.ts knows who answers what.
import type { Socket } from 'node:net';
import { createPptpStream } from '../../src/core/wire/pptp-stream.ts';
import { emitPptp, PPTP_OK, pptpCallRequest, type PptpMessage } from '../../src/core/wire/pptp.ts';
import { claim, until } from '../wait.ts';

type Kind = Exclude<PptpMessage['kind'], 'unknown'>;
type Heard<K extends Kind> = Extract<PptpMessage, { kind: K }>;

export class PptpControl {
  readonly received: PptpMessage[] = [];
  /** How it ended: `FIN`, or the errno's name such as `ECONNRESET`; null while it stands. */
  ended: string | null = null;
  readonly #socket: Socket;
  readonly #stream = createPptpStream();

  constructor(socket: Socket, onMessage: (message: PptpMessage, control: PptpControl) => void = () => {}) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      for (const message of this.#stream.push(chunk)) {
        this.received.push(message);
        onMessage(message, this);
      }
      // RFC 2637 2: who has lost the place where messages begin closes the connection.
      if (this.#stream.lost) socket.end();
    });
    socket.on('end', () => {
      this.ended ??= 'FIN';
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.ended ??= error.code ?? error.message;
    });
  }

  /** The messages go out in one segment. */
  send(...messages: PptpMessage[]): void {
    this.sendBytes(Buffer.concat(messages.map(emitPptp)));
  }

  /** Sends bytes as they are: a segment for each call. */
  sendBytes(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  all<K extends Kind>(kind: K): Heard<K>[] {
    return this.received.filter((message): message is Heard<K> => message.kind === kind);
  }

  /** Resolves to the `count`th message of this kind. */
  async hear<K extends Kind>(kind: K, count = 1): Promise<Heard<K>> {
    const found = await until(
      `${kind} number ${count}`,
      () => this.all(kind)[count - 1],
      undefined,
      () => this.received.map((message) => message.kind).join(', '),
    );
    return found;
  }

  /** Ends the connection with a FIN. */
  close(): void {
    this.#socket.end();
  }

  /** Ends the connection with a RST, as a device does that crashed and started again. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** RFC 2637 2.1: framing and bearer are bit masks, version 1.0 is 0x0100. */
const ABILITIES = {
  protocolVersion: 0x0100,
  framingCapabilities: 1,
  bearerCapabilities: 1,
  maximumChannels: 0,
  firmwareRevision: 1,
  hostName: 'lab',
  vendorName: 'Throughway lab',
};

export const START_REQUEST: PptpMessage = { kind: 'start-request', ...ABILITIES };
export const START_REPLY: PptpMessage = {
  kind: 'start-reply',
  ...ABILITIES,
  resultCode: PPTP_OK,
  errorCode: 0,
};

export function outgoingCallRequest(callId: number): PptpMessage {
  claim(callId >= 0 && callId <= 0xffff, `Call ID ${callId} has 16 bits`);
  return pptpCallRequest(callId, 1);
}

export function outgoingCallReply(callId: number, peerCallId: number): PptpMessage {
  return {
    kind: 'outgoing-call-reply',
    callId,
    peerCallId,
    resultCode: PPTP_OK,
    errorCode: 0,
    causeCode: 0,
    connectSpeedBps: 100_000_000,
    receiveWindowSize: 64,
    processingDelay: 0,
    physicalChannelId: 0,
  };
}

export function setLinkInfo(peerCallId: number): PptpMessage {
  return { kind: 'set-link-info', peerCallId, sendAccm: 0xffff_ffff, receiveAccm: 0xffff_ffff };
}

/** RFC 2637 2.13: `callId` is the server's own; result 4 is "on the client's request". */
export function disconnectNotify(callId: number): PptpMessage {
  return {
    kind: 'call-disconnect-notify',
    callId,
    resultCode: 4,
    errorCode: 0,
    causeCode: 0,
    callStatistics: '',
  };
}

export function echoRequest(identifier: number): PptpMessage {
  return { kind: 'echo-request', identifier };
}
