// Fills the table of connections of a namespace, really: by as many entries as the kernel takes, written by
// ctnetlink. A namespace cannot set a limit of its own, and its entries end with it. linux/nfnetlink_conntrack.h.
import { Writer } from '../src/core/wire/bytes.ts';
import { CONNTRACK_STATUS, CT_NEW } from '../src/core/wire/ctnetlink.ts';
import { ipProtocols } from '../src/core/wire/ipv4.ts';
import { emitAttributes, type AttributeList } from '../src/core/wire/netlink.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../src/linux/netlink.ts';
import type { Namespace } from './namespaces.ts';
import { Disproved } from './wait.ts';

const AF_INET = 2;
const NLM_F_CREATE_EXCL = 0x600;
const [CTA_TUPLE_ORIG, CTA_TUPLE_REPLY, CTA_STATUS, CTA_TIMEOUT] = [1, 2, 3, 7];
/** Longer than the scenario. */
const LIFE_SECONDS = 300;
const AT_ONCE = 8_192;
/** What a machine with 64 GB has; more is not tried. */
const MOST = 1_048_576;

/** Resolves to how many were written; throws Disproved where the kernel takes more than any table holds. */
export async function fillConntrack(namespace: Namespace): Promise<number> {
  const socket = namespace.inside(() => new NetlinkSocket(NETLINK_NETFILTER));
  try {
    for (let written = 0; written < MOST;) {
      const requests = Array.from({ length: AT_ONCE }, (_, index) => ({
        type: CT_NEW,
        flags: NLM_F_CREATE_EXCL,
        payload: entry(written + index),
      }));
      const outcomes = await socket.requestAll(requests);
      const refused = outcomes.findIndex(({ errno }) => errno !== 0);
      if (refused >= 0) return written + refused;
      written += AT_ONCE;
    }
  } finally {
    socket.close();
  }
  throw new Disproved(`the kernel took ${MOST} entries and was not full`);
}

/** A connection between addresses that nobody has (RFC 2544), answered and so not given up for others. */
function entry(number: number): Uint8Array {
  const near = 0xc612_0000 + (number >>> 12);
  const far = 0xc613_0001;
  const port = 1_024 + (number & 0xfff);
  const attributes = emitAttributes([
    [CTA_TUPLE_ORIG, tuple(near, port, far, 9)],
    [CTA_TUPLE_REPLY, tuple(far, 9, near, port)],
    [CTA_STATUS, u32(CONNTRACK_STATUS.confirmed | CONNTRACK_STATUS.assured | CONNTRACK_STATUS.seenReply)],
    [CTA_TIMEOUT, u32(LIFE_SECONDS)],
  ]);
  return new Writer(4 + attributes.length).u8(AF_INET).u8(0).u16(0).put(attributes).bytes;
}

function tuple(source: number, sourcePort: number, destination: number, port: number): AttributeList {
  const [ip, protocol] = [1, 2];
  return [
    [
      ip,
      [
        [1, u32(source)],
        [2, u32(destination)],
      ],
    ],
    [
      protocol,
      [
        [1, Uint8Array.of(ipProtocols.udp)],
        [2, u16(sourcePort)],
        [3, u16(port)],
      ],
    ],
  ];
}

function u32(value: number): Uint8Array {
  return new Writer(4).u32(value).bytes;
}

function u16(value: number): Uint8Array {
  return new Writer(2).u16(value).bytes;
}
