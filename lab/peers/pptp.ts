// PPTP clients and servers: the client is the PNS that calls, the server the PAC that is called
// (RFC 2637 1.2). Control is real TCP, data is GRE version 1 whose payload is a tag; a session is
// the two ends of one call, and keeps what went in so that it can say whether the same came out.
import type { PptpMessage, PptpMessageOf } from '../../src/core/wire/pptp.ts';
import { connectTcp, listenTcp } from '../sockets.ts';
import type { Host, Household } from '../topologies/household.ts';
import { claimEqual, until } from '../wait.ts';
import { GrePeer, type ReceivedGre } from './gre.ts';
import {
  disconnectNotify,
  outgoingCallReply,
  outgoingCallRequest,
  PptpControl,
  START_REPLY,
  START_REQUEST,
} from './pptp-control.ts';

export const PPTP_PORT = 1723;

/** A call as one end knows it. */
export interface PptpCall {
  readonly control: PptpControl;
  /** This end's own Call ID: what comes for the call carries it. */
  readonly callId: number;
  /** The other end's, as this end was told. */
  readonly peerCallId: number;
}

export class PptpServer {
  readonly host: Host;
  readonly gre: GrePeer;
  readonly controls: PptpControl[] = [];
  readonly calls: PptpCall[] = [];
  /** When false, the scenario answers each Outgoing-Call-Request with `answer` in its own time. */
  answersCalls = true;
  /** The Call ID of the next call. */
  nextCallId = 0x5001;

  constructor(household: Household, host: Host) {
    this.host = host;
    this.gre = new GrePeer(household, host);
    const listener = listenTcp(host, PPTP_PORT, (socket) => {
      this.controls.push(new PptpControl(socket, (message, control) => this.#hear(message, control)));
    });
    household.onClose(() => {
      for (const control of this.controls) control.destroy();
      listener.close();
    });
  }

  /** Takes the call, and returns it with the message that says so. */
  accept(
    control: PptpControl,
    request: PptpMessageOf<'outgoing-call-request'>,
  ): { call: PptpCall; reply: PptpMessage } {
    const call = { control, callId: this.nextCallId, peerCallId: request.callId };
    this.nextCallId += 1;
    this.calls.push(call);
    return { call, reply: outgoingCallReply(call.callId, call.peerCallId) };
  }

  /** Resolves to the first Outgoing-Call-Request of the latest control connection. */
  async hearCall(): Promise<{ control: PptpControl; request: PptpMessageOf<'outgoing-call-request'> }> {
    const control = await until('a control connection', () => this.controls.at(-1));
    return { control, request: await control.hear('outgoing-call-request') };
  }

  #hear(message: PptpMessage, control: PptpControl): void {
    switch (message.kind) {
      case 'start-request':
        return control.send(START_REPLY);
      case 'outgoing-call-request':
        if (this.answersCalls) control.send(this.accept(control, message).reply);
        return undefined;
      case 'echo-request':
        return control.send({
          kind: 'echo-reply',
          identifier: message.identifier,
          resultCode: 1,
          errorCode: 0,
        });
      case 'call-clear-request': {
        const call = this.calls.find((one) => one.control === control && one.peerCallId === message.callId);
        if (call) control.send(disconnectNotify(call.callId));
        return undefined;
      }
      case 'stop-request':
        return control.send({ kind: 'stop-reply', resultCode: 1, errorCode: 0 });
      default:
        return undefined;
    }
  }
}

export class PptpClient {
  readonly gre: GrePeer;
  readonly server: PptpServer;
  readonly #household: Household;
  #control: PptpControl | null = null;

  /** Clients at the same address share their `gre`. */
  constructor(household: Household, gre: GrePeer, server: PptpServer) {
    this.#household = household;
    this.gre = gre;
    this.server = server;
  }

  get host(): Host {
    return this.gre.host;
  }

  /** The latest control connection. */
  get control(): PptpControl {
    if (this.#control === null) throw new Error('the client has not connected');
    return this.#control;
  }

  /** Resolves when TCP stands; nothing is said yet. Rejects with LinuxError. */
  async connect(sourcePort = 0): Promise<PptpControl> {
    const socket = await connectTcp(this.gre.place, this.server.host.address, PPTP_PORT, sourcePort);
    const control = new PptpControl(socket);
    this.#household.onClose(() => control.destroy());
    this.#control = control;
    return control;
  }

  /** Resolves when the control connection is started (RFC 2637 3.1.2). */
  async start(sourcePort = 0): Promise<PptpControl> {
    const control = await this.connect(sourcePort);
    control.send(START_REQUEST);
    await control.hear('start-reply');
    return control;
  }

  /** Resolves to the call as the client knows it once the server has taken it; calls of a control connection come one after the other. */
  async call(callId: number): Promise<PptpCall> {
    const control = this.control;
    control.send(outgoingCallRequest(callId));
    const reply = await control.hear('outgoing-call-reply', control.all('outgoing-call-reply').length + 1);
    return { control, callId, peerCallId: reply.callId };
  }

  /** Resolves to a call that stands, on a control connection of its own. */
  async dial(callId: number, sourcePort = 0): Promise<PptpSession> {
    await this.start(sourcePort);
    return this.session(await this.call(callId));
  }

  /** Both ends of a call. */
  session(call: PptpCall): PptpSession {
    const far = this.server.calls.findLast((one) => one.callId === call.peerCallId)!;
    return new PptpSession(this.#household, this, call, far);
  }

  /** Ends the call and the control connection in words, and then with a FIN (RFC 2637 2.12, 2.3). */
  async hangUp({ control, callId }: PptpCall): Promise<void> {
    control.send({ kind: 'call-clear-request', callId });
    await control.hear('call-disconnect-notify');
    control.send({ kind: 'stop-request', reason: 1 });
    await control.hear('stop-reply');
    control.close();
  }
}

export class PptpSession {
  readonly client: PptpClient;
  readonly near: PptpCall;
  readonly far: PptpCall;
  readonly #household: Household;
  readonly #up: Uint8Array[] = [];
  readonly #down: Uint8Array[] = [];
  /** What had come under the same Call IDs before. */
  readonly #before: { readonly near: number; readonly far: number };

  constructor(household: Household, client: PptpClient, near: PptpCall, far: PptpCall) {
    this.#household = household;
    this.client = client;
    this.near = near;
    this.far = far;
    this.#before = {
      near: client.gre.ofCall(near.callId).length,
      far: client.server.gre.ofCall(far.callId).length,
    };
  }

  /** The client sends one packet to the server. */
  up(length?: number): void {
    const header = this.#header(this.near.peerCallId, this.#up.length, this.#down.length);
    const { host } = this.client.server;
    this.#up.push(this.client.gre.send(host.address, header, host, length));
  }

  /** The server sends one packet to the client. */
  down(length?: number): void {
    const header = this.#header(this.far.peerCallId, this.#down.length, this.#up.length);
    this.#down.push(this.client.server.gre.send(this.#household.wan, header, this.client.host, length));
  }

  /** Resolves when each end has exactly what the other has sent, in order and octet for octet; only the client's Call ID is another. */
  async verify(): Promise<void> {
    const { near, far, client } = this;
    await this.#claimSame(() => client.server.gre.ofCall(far.callId).slice(this.#before.far), this.#up, far);
    const translated = this.#down.map((bytes) => {
      const copy = Uint8Array.from(bytes);
      new DataView(copy.buffer).setUint16(6, near.callId);
      return copy;
    });
    await this.#claimSame(() => client.gre.ofCall(near.callId).slice(this.#before.near), translated, near);
  }

  async #claimSame(come: () => ReceivedGre[], wanted: readonly Uint8Array[], end: PptpCall): Promise<void> {
    const where = `${end === this.near ? 'the client' : 'the server'} for its Call ID ${end.callId}`;
    // The raw socket gets a packet a moment after the tap.
    await until(
      `${wanted.length} packets at ${where}`,
      () => come().length >= wanted.length,
      undefined,
      () => `${come().length}`,
    );
    claimEqual(come().length, wanted.length, `packets at ${where}`);
    for (const [index, { bytes }] of come().entries())
      claimEqual(hex(bytes), hex(wanted[index]!), `packet ${index + 1} at ${where}`);
  }

  /** RFC 2637 4.2: every other packet goes without an acknowledgment. */
  #header(
    callId: number,
    sent: number,
    got: number,
  ): { version: 1; callId: number; sequence: number; acknowledgment: number | null } {
    return {
      version: 1,
      callId,
      sequence: sent,
      acknowledgment: got > 0 && sent % 2 === 1 ? got - 1 : null,
    };
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
