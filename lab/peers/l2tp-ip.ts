// L2TPv3 straight on IP, protocol 115, without UDP: control messages of session 0 and data of others
// (RFC 3931 4.1.1). Data is a tag.
import type { Ipv4Address } from '../../src/core/address.ts';
import { ipProtocols, parseIpv4Packet } from '../../src/core/wire/ipv4.ts';
import { emitL2tpIp, parseL2tpIp, type L2tpIpMessage } from '../../src/core/wire/l2tp.ts';
import { avpU16, avpU32, l2tpAvpTypes } from '../../src/core/wire/l2tp-avp.ts';
import { RawSocket } from '../sockets.ts';
import type { Host, Household } from '../topologies/household.ts';

export interface ReceivedL2tpIp {
  readonly source: Ipv4Address;
  readonly message: L2tpIpMessage;
}

export class L2tpIpPeer {
  readonly host: Host;
  readonly received: ReceivedL2tpIp[] = [];
  readonly #household: Household;
  readonly #socket: RawSocket;

  constructor(household: Household, host: Host) {
    this.#household = household;
    this.host = host;
    this.#socket = new RawSocket(host, ipProtocols.l2tp, (bytes) => {
      const { source, payload } = parseIpv4Packet(bytes);
      this.received.push({ source, message: parseL2tpIp(payload) });
    });
    household.onClose(() => this.#socket.close());
  }

  /** Sends one tagged data message that only `to` may get (null: nobody). */
  send(destination: Ipv4Address, sessionId: number, to: Host | null): void {
    const payload = this.#household.ledger.tag(
      `L2TPv3 session ${sessionId} of ${this.host.name}`,
      to?.name ?? null,
    );
    this.#send(destination, { kind: 'data', version: 3, sessionId, payload });
  }

  /** Sends one control message; `type` is one of `l2tpMessageTypes`. */
  say(destination: Ipv4Address, type: number, controlConnectionId: number, assignedId: number): void {
    this.#send(destination, {
      kind: 'control',
      version: 3,
      controlConnectionId,
      ns: 0,
      nr: 0,
      avps: [
        avpU16(l2tpAvpTypes.messageType, type),
        avpU32(l2tpAvpTypes.assignedControlConnectionId, assignedId),
      ],
    });
  }

  #send(destination: Ipv4Address, message: L2tpIpMessage): void {
    this.#socket.send(destination, emitL2tpIp(message));
  }
}
