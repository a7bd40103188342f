// A host that keeps the ICMP errors it gets, with the packet that each is about (RFC 792).
import type { Ipv4Address } from '../../src/core/address.ts';
import { parseIcmp, type IcmpErrorMessage } from '../../src/core/wire/icmp.ts';
import { ipProtocols, parseIpv4Packet, type Ipv4Packet } from '../../src/core/wire/ipv4.ts';
import { RawSocket } from '../sockets.ts';
import type { Host, Household } from '../topologies/household.ts';

export interface ReceivedError extends IcmpErrorMessage {
  readonly source: Ipv4Address;
  readonly about: Ipv4Packet;
}

export class IcmpPeer {
  readonly errors: ReceivedError[] = [];

  constructor(household: Household, host: Host) {
    const socket = new RawSocket(host, ipProtocols.icmp, (bytes) => {
      const packet = parseIpv4Packet(bytes);
      const message = parseIcmp(packet.payload);
      if (message.kind === 'error')
        this.errors.push({ ...message, source: packet.source, about: parseIpv4Packet(message.quoted) });
    });
    household.onClose(() => socket.close());
  }
}
