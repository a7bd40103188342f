// Reads the passive copies that rules with `log group` make. A slow reader loses copies and never
// holds up a packet: the kernel drops what does not fit into the socket's buffer, and the gaps in
// the copies' sequence numbers tell how many those were. Knows nothing of what is copied.
import {
  emitNflogBind,
  NFLOG_CONFIG,
  NFLOG_PACKET,
  type NflogPacket,
  parseNflogPacket,
} from '../core/wire/nflog.ts';
import { WireError } from '../core/wire/bytes.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from './netlink.ts';

/** About 100,000 copies of headers as the kernel counts them: two seconds of a flood at full speed. */
const RECEIVE_BUFFER_BYTES = 32 << 20;
const QUEUE_THRESHOLD = 32;
/** The least the kernel knows: ten milliseconds. */
const FLUSH_CENTISECONDS = 1;
/** Below what NetlinkSocket reads at once. */
const DATAGRAM_BYTES = 49_152;
/** A rule may ask for less; a held packet is wanted whole. */
const MOST_BYTES = 9_216;

export interface NflogOptions {
  readonly group: number;
  /** `packet.payload` is a view that stays as it is. */
  readonly onPacket: (packet: NflogPacket) => void;
  /** So many copies were lost since the last call. */
  readonly onMissed: (copies: number) => void;
  readonly receiveBufferBytes?: number;
}

export interface NflogReader {
  close(): void;
}

/** Binds to a group in the network namespace of the calling thread. Throws LinuxError (EPERM: another program has it). */
export async function openNflog(options: NflogOptions): Promise<NflogReader> {
  const { group, onPacket, onMissed } = options;
  let expected: number | null = null;
  const socket = new NetlinkSocket(NETLINK_NETFILTER, {
    receiveBufferBytes: options.receiveBufferBytes ?? RECEIVE_BUFFER_BYTES,
    isLossTold: false,
    onMessage: ({ type, payload }) => {
      if (type !== NFLOG_PACKET) return;
      let packet: NflogPacket;
      try {
        packet = parseNflogPacket(payload);
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        onMissed(1);
        return;
      }
      const { sequence } = packet;
      if (sequence !== null) {
        if (expected !== null && sequence !== expected) onMissed((sequence - expected) >>> 0);
        expected = (sequence + 1) >>> 0;
      }
      onPacket(packet);
    },
  });
  try {
    await socket.request(
      NFLOG_CONFIG,
      0,
      emitNflogBind({
        group,
        mostBytes: MOST_BYTES,
        queueThreshold: QUEUE_THRESHOLD,
        flushCentiseconds: FLUSH_CENTISECONDS,
        datagramBytes: DATAGRAM_BYTES,
      }),
    );
  } catch (error) {
    socket.close();
    throw error;
  }
  return { close: () => socket.close() };
}
