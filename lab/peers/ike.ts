// IKE as a NAT sees it: headers that are true to the RFCs, bodies that are a tag (RFC 2408 3.1,
// RFC 7296 3.1). No keys and no negotiation; enough to be told apart by cookies and exchange types.
import type { Ipv4Address } from '../../src/core/address.ts';
import {
  emitIsakmp,
  exchangeTypes,
  parseIsakmpHeader,
  payloadTypesV1,
  payloadTypesV2,
  type IsakmpHeader,
} from '../../src/core/wire/isakmp.ts';
import type { Datagram } from '../sockets.ts';
import type { Host, Household } from '../topologies/household.ts';
import { claim } from '../wait.ts';
import { UdpPeer } from './udp.ts';

export const IKE_PORT = 500;
export const NAT_T_PORT = 4500;
/** RFC 3948 2.2: tells IKE from ESP on port 4500. */
const NON_ESP_MARKER = new Uint8Array(4);

export interface ReceivedIke extends Datagram {
  readonly header: IsakmpHeader;
}

export interface IkeMessage {
  readonly initiatorSpi: bigint;
  readonly responderSpi?: bigint;
  readonly exchangeType: number;
  readonly response?: boolean;
  readonly messageId?: number;
  readonly length?: number;
}

export class IkePeer extends UdpPeer {
  readonly #household: Household;

  constructor(household: Household, host: Host, port = IKE_PORT) {
    super(household, host, port);
    this.#household = household;
  }

  /** Sends one message that only `to` may get (null: nobody). */
  sendIke(destination: Ipv4Address, port: number, to: Host | null, message: IkeMessage): void {
    const what = `IKE exchange ${message.exchangeType} of ${this.host.name}`;
    const body = this.#household.ledger.tag(what, to?.name ?? null, message.length);
    const isV2 = message.exchangeType >= exchangeTypes.ikeSaInit;
    const bytes = emitIsakmp({
      header: {
        initiatorSpi: message.initiatorSpi,
        responderSpi: message.responderSpi ?? 0n,
        majorVersion: isV2 ? 2 : 1,
        minorVersion: 0,
        exchangeType: message.exchangeType,
        flags: isV2 ? { response: message.response ?? false } : { encryption: true },
        messageId: message.messageId ?? 0,
      },
      payloads: [],
      encrypted: isV2
        ? { payloadType: payloadTypesV2.encrypted, firstPayload: 0, bytes: body }
        : { payloadType: null, firstPayload: payloadTypesV1.hash, bytes: body },
    });
    this.sendBytes(
      destination,
      port,
      port === NAT_T_PORT || this.port === NAT_T_PORT ? Buffer.concat([NON_ESP_MARKER, bytes]) : bytes,
    );
  }

  /** Answers a request: same IKE SA, same exchange, to where it came from. */
  answer(request: ReceivedIke, to: Host | null, length?: number): void {
    const { initiatorSpi, responderSpi, exchangeType, messageId } = request.header;
    this.sendIke(request.source, request.sourcePort, to, {
      initiatorSpi,
      responderSpi: responderSpi === 0n ? initiatorSpi ^ 0xffff_ffffn : responderSpi,
      exchangeType,
      messageId,
      response: true,
      ...(length === undefined ? {} : { length }),
    });
  }

  /** The latest message that came under this initiator SPI. */
  latest(initiatorSpi: bigint): ReceivedIke {
    const found = this.receivedIke().findLast(({ header }) => header.initiatorSpi === initiatorSpi);
    claim(found, `${this.host.name} has heard of IKE SA ${initiatorSpi.toString(16)}`);
    return found;
  }

  /** The IKE messages that came so far, with their headers; on port 4500 ESP and keepalives come too. */
  receivedIke(): ReceivedIke[] {
    return this.received.flatMap((datagram) => {
      const hasMarker = Buffer.from(datagram.payload.subarray(0, 4)).equals(NON_ESP_MARKER);
      if (!hasMarker && this.port === NAT_T_PORT) return [];
      const header = parseIsakmpHeader(hasMarker ? datagram.payload.subarray(4) : datagram.payload);
      return [{ ...datagram, header }];
    });
  }
}
