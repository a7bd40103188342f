// The far end of a path test, `throughway reflector`: answers the packets of whoever knows the token, and
// nobody else. No amplifier and no relay: an answer goes to where its question came from, is never longer,
// and each question is answered once; one session at a time, bounded in packets, in packets a second and in
// time; and the whole ends by itself.
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { randomInt } from 'node:crypto';
import type { Ipv4Address } from '../../core/address.ts';
import {
  CROSSINGS,
  dress,
  undressDatagram,
  undressRaw,
  type Crossing,
} from '../../core/reflector/crossings.ts';
import { emitMark, MARK_BYTES, parseMark, type Mark, type Seal } from '../../core/reflector/mark.ts';
import { WireError } from '../../core/wire/bytes.ts';
import { ipProtocols, parseIpv4Packet } from '../../core/wire/ipv4.ts';
import { createPptpStream } from '../../core/wire/pptp-stream.ts';
import { emitPptp, PPTP_OK } from '../../core/wire/pptp.ts';
import { LinuxError } from '../../linux/libc.ts';
import { listenRaw, type OpenRawSocket } from '../../linux/raw-socket.ts';
import { Failure } from '../failure.ts';
import { readLines } from './lines.ts';
import { isProof, makeNonce, proofOf, sealOf } from './secrets.ts';

/** Thrice what one test sends. */
const MOST_PACKETS = 150;
const PACKETS_A_SECOND = 50;
const SESSION_MS = 60_000;
/** Strangers who connect and have proved nothing yet. */
const MOST_CONNECTIONS = 8;
const PATIENCE_MS = 10_000;
/** For one packet of data on a TCP port. */
const DATA_PATIENCE_MS = 5_000;

export interface Told {
  /** A session has begun, ended, or somebody did not know the token; as a sentence. */
  onWord(sentence: string): void;
}

export interface Reflector {
  /** Ids of the crossings that can be tried here. */
  readonly opened: readonly string[];
  /** Those that cannot, with the reason as a sentence. */
  readonly shut: Readonly<Record<string, string>>;
  close(): void;
}

interface Count {
  arrived: number;
  from: string | null;
}

interface Session {
  readonly seal: Seal;
  readonly counts: Map<number, Count>;
  /** Questions that have been answered. */
  readonly seen: Set<number>;
  /** PPTP calls: by the far end's Call ID, the near end's as it arrived here. */
  readonly calls: Map<number, number>;
  packets: number;
  /** Packets that may be taken now, and when that was worked out. */
  allowance: number;
  countedAt: number;
}

/** What a reason is called, where a port cannot be opened. */
function whyShut(where: string, error: unknown): string {
  const code =
    (error as NodeJS.ErrnoException).code ?? (error instanceof LinuxError ? error.errno : undefined);
  if (code === 'EADDRINUSE') return `${where} of the far end is in use by another program there.`;
  if (code === 'EACCES' || code === 'EPERM') return `${where} of the far end may be opened by root only.`;
  return `${where} of the far end cannot be opened (${code ?? String(error)}).`;
}

/** Throws Failure when the control port cannot be opened. */
export async function openReflector(
  {
    token,
    address,
    port,
  }: { readonly token: string; readonly address: Ipv4Address | null; readonly port: number },
  told: Told,
): Promise<Reflector> {
  const closers: (() => void)[] = [];
  const shut: Record<string, string> = {};
  let session: Session | null = null;
  let strangers = 0;

  /** Counts a question and says whether it is to be answered. */
  const admit = (mark: Mark | null, crossing: Crossing, from: string): Session | null => {
    if (session === null || mark === null || mark.isAnswer) return null;
    if (CROSSINGS[mark.crossing] !== crossing) return null;
    const now = performance.now();
    session.allowance = Math.min(
      PACKETS_A_SECOND,
      session.allowance + ((now - session.countedAt) * PACKETS_A_SECOND) / 1000,
    );
    session.countedAt = now;
    const key = (mark.crossing << 16) | mark.number;
    if (session.allowance < 1 || session.packets >= MOST_PACKETS || session.seen.has(key)) return null;
    session.allowance -= 1;
    session.packets += 1;
    session.seen.add(key);
    const count = session.counts.get(mark.crossing) ?? { arrived: 0, from };
    count.arrived += 1;
    session.counts.set(mark.crossing, count);
    return session;
  };

  /** The answer to what came, or null. Any bytes may come. */
  const answer = (
    read: () => {
      readonly inside: Uint8Array;
      readonly label: number;
      readonly carrier: Crossing['carrier'];
    },
    length: number,
    from: string,
  ): Uint8Array | null => {
    if (session === null) return null;
    try {
      const { inside, label, carrier } = read();
      const mark = parseMark(inside, session.seal);
      const crossing = mark && CROSSINGS[mark.crossing];
      if (!crossing || crossing.carrier !== carrier) return null;
      const admitted = admit(mark, crossing, from);
      if (admitted === null) return null;
      const back = carrier === 'gre' ? admitted.calls.get(label) : mark.reply || 1;
      if (back === undefined) return null;
      const bytes = dress(crossing, {
        mark: emitMark({ ...mark, isAnswer: true }, admitted.seal),
        isAnswer: true,
        label: back,
        number: mark.number,
      });
      return bytes.length <= length ? bytes : null;
    } catch (error) {
      if (error instanceof WireError) return null;
      throw error;
    }
  };

  const openUdp = (udpPort: number): Promise<void> =>
    new Promise((resolve) => {
      const socket: UdpSocket = createSocket('udp4');
      socket.once('error', (error) => {
        for (const one of CROSSINGS)
          if (one.carrier === 'udp' && one.port === udpPort) shut[one.id] = whyShut(`UDP ${udpPort}`, error);
        socket.close();
        resolve();
      });
      socket.on('message', (payload, { address: source, port: sourcePort }) => {
        const read = () => ({ inside: undressDatagram(udpPort, payload), label: 0, carrier: 'udp' as const });
        const bytes = answer(read, payload.length, `${source}:${sourcePort}`);
        if (bytes !== null) socket.send(bytes, sourcePort, source, () => undefined);
      });
      socket.bind(udpPort, address ?? '0.0.0.0', () => {
        socket.removeAllListeners('error');
        socket.on('error', () => undefined);
        closers.push(() => socket.close());
        resolve();
      });
    });

  const openRaw = (carrier: 'esp' | 'gre'): void => {
    try {
      const socket: OpenRawSocket = listenRaw(ipProtocols[carrier], address, (packet) => {
        let whole: ReturnType<typeof parseIpv4Packet>;
        try {
          whole = parseIpv4Packet(packet);
        } catch (error) {
          if (error instanceof WireError) return;
          throw error;
        }
        const read = () => ({ ...undressRaw(carrier, whole.payload), carrier });
        const bytes = answer(read, whole.payload.length, whole.source);
        try {
          if (bytes !== null) socket.send(whole.source, bytes);
        } catch (error) {
          if (!(error instanceof LinuxError)) throw error;
        }
      });
      closers.push(() => socket.close());
    } catch (error) {
      const where = carrier === 'esp' ? 'ESP' : 'GRE';
      for (const one of CROSSINGS) if (one.carrier === carrier) shut[one.id] = whyShut(where, error);
    }
  };

  const openTcp = (
    tcpPort: number,
    onConnection: (socket: Socket) => void,
  ): Promise<NodeJS.ErrnoException | null> =>
    new Promise((resolve) => {
      const server: Server = createServer({ noDelay: true }, (socket) => {
        socket.on('error', () => undefined);
        if (strangers >= MOST_CONNECTIONS) {
          socket.destroy();
          return;
        }
        strangers += 1;
        socket.once('close', () => {
          strangers -= 1;
        });
        onConnection(socket);
      });
      server.once('error', resolve);
      server.listen(tcpPort, address ?? '0.0.0.0', () => {
        closers.push(() => server.close());
        resolve(null);
      });
    });

  /** Takes one mark, answers it, and hangs up. */
  const plainConnection = (crossing: Crossing) => (socket: Socket) => {
    socket.setTimeout(DATA_PATIENCE_MS, () => socket.destroy());
    let heard = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      heard = Buffer.concat([heard, chunk]);
      if (heard.length < MARK_BYTES) return;
      const from = `${socket.remoteAddress}:${socket.remotePort}`;
      const mark = session === null ? null : parseMark(heard, session.seal);
      const admitted = admit(mark, crossing, from);
      if (mark === null || admitted === null) socket.destroy();
      else socket.end(emitMark({ ...mark, isAnswer: true }, admitted.seal));
    });
  };

  /** A control connection of PPTP whose host name is a mark, and one call. */
  const pptpConnection = (crossing: Crossing) => (socket: Socket) => {
    socket.setTimeout(SESSION_MS, () => socket.destroy());
    const stream = createPptpStream();
    let admitted: Session | null = null;
    socket.on('data', (chunk: Buffer) => {
      for (const message of stream.push(chunk)) {
        if (message.kind === 'start-request') {
          const bytes = Buffer.from(message.hostName, 'hex');
          const mark = session === null || bytes.length < MARK_BYTES ? null : parseMark(bytes, session.seal);
          admitted = admit(mark, crossing, `${socket.remoteAddress}:${socket.remotePort}`);
          if (mark === null || admitted === null) {
            socket.destroy();
            return;
          }
          const { framingCapabilities, bearerCapabilities } = message;
          socket.write(
            emitPptp({
              kind: 'start-reply',
              protocolVersion: 0x0100,
              resultCode: PPTP_OK,
              errorCode: 0,
              framingCapabilities,
              bearerCapabilities,
              maximumChannels: 1,
              firmwareRevision: 0,
              hostName: Buffer.from(emitMark({ ...mark, isAnswer: true }, admitted.seal)).toString('hex'),
              vendorName: '',
            }),
          );
        } else if (
          message.kind === 'outgoing-call-request' &&
          admitted !== null &&
          admitted.calls.size === 0
        ) {
          const callId = randomInt(1, 0x10000);
          admitted.calls.set(callId, message.callId);
          socket.write(
            emitPptp({
              kind: 'outgoing-call-reply',
              callId,
              peerCallId: message.callId,
              resultCode: PPTP_OK,
              errorCode: 0,
              causeCode: 0,
              connectSpeedBps: 100_000_000,
              receiveWindowSize: 64,
              processingDelay: 0,
              physicalChannelId: 0,
            }),
          );
        } else if (message.kind === 'stop-request') socket.end();
      }
      if (stream.lost) socket.destroy();
    });
  };

  const converse = async (socket: Socket): Promise<void> => {
    const peer = `${socket.remoteAddress}`;
    const lines = readLines(socket);
    const far = makeNonce();
    lines.send({ throughway: 'reflector', version: 1, nonce: far });
    const hello = await lines.next(PATIENCE_MS);
    const near = typeof hello['nonce'] === 'string' ? hello['nonce'] : '';
    const nonces = { far, near };
    if (!isProof(hello['proof'], proofOf(token, 'near', nonces))) {
      told.onWord(`${peer} does not know the token and got no answer.`);
      lines.send({ refused: 'token' });
      socket.end();
      return;
    }
    if (session !== null) {
      lines.send({ refused: 'busy' });
      socket.end();
      return;
    }
    const own: Session = {
      seal: sealOf(token, nonces),
      counts: new Map(),
      seen: new Set(),
      calls: new Map(),
      packets: 0,
      allowance: PACKETS_A_SECOND,
      countedAt: performance.now(),
    };
    session = own;
    told.onWord(`${peer} tests the path.`);
    const limit = setTimeout(() => socket.destroy(), SESSION_MS);
    try {
      lines.send({
        proof: proofOf(token, 'far', nonces),
        opened,
        shut,
        from: `${peer}:${socket.remotePort}`,
      });
      for (;;) {
        await lines.next(SESSION_MS);
        const counts = [...own.counts].map(([index, count]) => ({ id: CROSSINGS[index]!.id, ...count }));
        lines.send({ counts });
      }
    } finally {
      clearTimeout(limit);
      session = null;
      told.onWord(`${peer} is done: ${own.packets} packets were answered.`);
    }
  };

  const failed = await openTcp(port, (socket) => {
    // It ends when the other end hangs up, or does not keep to what is agreed.
    void converse(socket).catch(() => socket.destroy());
  });
  if (failed !== null) {
    throw new Failure(
      failed.code === 'EACCES' ? 'no-permission' : 'bad-request',
      failed.code === 'EADDRINUSE'
        ? `TCP ${port} is in use by another program. Choose another port with --port, here and on the other machine.`
        : `TCP ${port} cannot be opened (${failed.code ?? failed.message}). Choose another with --port, or another address with --listen.`,
    );
  }
  for (const udpPort of new Set(CROSSINGS.flatMap((one) => (one.carrier === 'udp' ? (one.port ?? []) : []))))
    await openUdp(udpPort);
  for (const crossing of CROSSINGS) {
    if (crossing.carrier !== 'tcp' || crossing.port === null) continue;
    const onConnection = crossing.form === 'pptp' ? pptpConnection(crossing) : plainConnection(crossing);
    const error = await openTcp(crossing.port, onConnection);
    if (error !== null) shut[crossing.id] = whyShut(`TCP ${crossing.port}`, error);
  }
  openRaw('esp');
  openRaw('gre');
  const opened = CROSSINGS.map(({ id }) => id).filter((id) => !(id in shut));
  return {
    opened,
    shut,
    close: () => {
      session = null;
      for (const close of closers) close();
    },
  };
}
