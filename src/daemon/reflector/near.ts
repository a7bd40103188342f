// The near end of a path test, `throughway selftest --through HOST`: sends each kind of packet that VPNs use
// to a reflector, counts what comes back, asks the reflector what has arrived, and so names what is lost and
// which way. Sends some forty packets to one address, and ends within fifteen seconds.
import { randomBytes, randomInt } from 'node:crypto';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseIpv4, type Ipv4Address } from '../../core/address.ts';
import { quote } from '../../core/config/problem.ts';
import {
  CROSSINGS,
  dress,
  undressDatagram,
  undressRaw,
  whereOf,
  type Crossing,
} from '../../core/reflector/crossings.ts';
import { judgeCrossing, type Result, type Seen } from '../../core/reflector/judgement.ts';
import { emitMark, MARK_BYTES, parseMark, type Seal } from '../../core/reflector/mark.ts';
import { WireError } from '../../core/wire/bytes.ts';
import { ipProtocols, parseIpv4Packet } from '../../core/wire/ipv4.ts';
import { createPptpStream } from '../../core/wire/pptp-stream.ts';
import { emitPptp, PPTP_OK, pptpCallRequest, pptpStartRequest } from '../../core/wire/pptp.ts';
import { LinuxError } from '../../linux/libc.ts';
import { openRawSocket } from '../../linux/raw-socket.ts';
import { Failure, reasonOf } from '../failure.ts';
import { readLines, type Lines } from './lines.ts';
import { isProof, makeNonce, proofOf, sealOf, type Nonces } from './secrets.ts';

/** When each packet of a crossing is sent; one that is lost by chance is not all of them. */
const SENT_AT_MS = [0, 300, 700];
/** How long an answer is waited for behind the last of them. */
const ANSWER_MS = 1_500;
const CONNECT_MS = 4_000;
const LINE_MS = 5_000;
const LOOKUP_MS = 4_000;

export interface PathReport {
  readonly host: string;
  readonly address: Ipv4Address;
  /** As the far end sees this one, such as `198.51.100.2:40123`. */
  readonly from: string;
  readonly results: readonly Result[];
  readonly took_ms: number;
}

/** What is seen of one crossing while it is tried. */
interface Tally {
  sent: number;
  back: Set<number>;
  sourcePort: number | null;
  refusal: string | null;
  untried: string | null;
}

interface Path {
  readonly address: Ipv4Address;
  readonly seal: Seal;
  readonly tallies: ReadonlyMap<string, Tally>;
}

export interface PathTest {
  readonly host: string;
  readonly token: string;
  readonly port: number;
  /** This is the gateway itself, whose answers in ESP are for its devices. */
  readonly isGateway: boolean;
}

/** Throws Failure. */
export async function testPath({ host, token, port, isGateway }: PathTest): Promise<PathReport> {
  const began = performance.now();
  const address = await addressOf(host);
  const control = await connectTo(host, address, port);
  const lines = readLines(control);
  try {
    const { seal, opened, shut, from } = await agree(lines, token, host);
    const tallies = new Map(
      CROSSINGS.map((crossing): [string, Tally] => {
        const untried = opened.includes(crossing.id)
          ? null
          : (shut[crossing.id] ?? `${whereOf(crossing)} was not opened at the far end.`);
        return [crossing.id, { sent: 0, back: new Set(), sourcePort: null, refusal: null, untried }];
      }),
    );
    const path: Path = { address, seal, tallies };
    await Promise.all([tryDatagrams(path), tryEsp(path), tryTcp(path), tryPptp(path)]);
    lines.send({ ask: 'counts' });
    const counts = readCounts(await next(lines, host));
    const results = CROSSINGS.map((crossing) => {
      const { back, ...tally } = tallies.get(crossing.id)!;
      const { arrived = 0, from: source = null } = counts.get(crossing.id) ?? {};
      const seen: Seen = {
        ...tally,
        arrived,
        back: back.size,
        from: source,
        onlyThere: isGateway && crossing.carrier === 'esp',
      };
      return judgeCrossing(crossing, seen);
    });
    return { host, address, from, results, took_ms: Math.round(performance.now() - began) };
  } finally {
    lines.close();
  }
}

async function addressOf(host: string): Promise<Ipv4Address> {
  const typed = parseIpv4(host);
  if (typed !== null) return typed;
  if (!/^[a-z0-9_.-]{1,253}$/i.test(host) || /^[\d.]+$/.test(host)) {
    throw new Failure(
      'bad-request',
      `${quote(host)} is neither a name nor an IPv4 address. Give the one that "throughway reflector" has printed.`,
    );
  }
  try {
    const limit = sleep(LOOKUP_MS, null, { ref: false });
    const found = await Promise.race([lookup(host, { family: 4 }), limit]);
    const address = found === null ? null : parseIpv4(found.address);
    if (address === null) throw new Error('no answer from the name server');
    return address;
  } catch (error) {
    throw new Failure(
      'host-unknown',
      `The name ${quote(host)} cannot be found (${reasonOf(error)}). Check its spelling, or give the address.`,
    );
  }
}

function connectTo(host: string, address: Ipv4Address, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port });
    const fail = (why: string): void => {
      socket.destroy();
      reject(
        new Failure(
          'bad-request',
          `No reflector answers at ${quote(host)}, TCP ${port} (${why}). See that "throughway reflector" runs there, that its time is not over, and that a firewall of that machine lets TCP ${port} in; --port chooses another.`,
        ),
      );
    };
    const timer = setTimeout(() => fail(`no answer for ${CONNECT_MS / 1000} seconds`), CONNECT_MS);
    socket.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      fail(error.code ?? error.message);
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}

async function next(lines: Lines, host: string): Promise<Record<string, unknown>> {
  try {
    return await lines.next(LINE_MS);
  } catch (error) {
    throw new Failure(
      'bad-request',
      `The reflector at ${quote(host)} does not go on (${reasonOf(error)}). See what it prints, and try again.`,
    );
  }
}

async function agree(
  lines: Lines,
  token: string,
  host: string,
): Promise<{ seal: Seal; opened: readonly string[]; shut: Readonly<Record<string, string>>; from: string }> {
  const hello = await next(lines, host);
  const far = hello['nonce'];
  if (hello['throughway'] !== 'reflector' || hello['version'] !== 1 || typeof far !== 'string') {
    throw new Failure(
      'bad-request',
      `What answers at ${quote(host)} is no reflector of this version of Throughway. Use the same version on both machines.`,
    );
  }
  const nonces: Nonces = { far, near: makeNonce() };
  lines.send({ nonce: nonces.near, proof: proofOf(token, 'near', nonces) });
  const answer = await next(lines, host);
  if (answer['refused'] === 'token' || !isProof(answer['proof'] ?? '', proofOf(token, 'far', nonces))) {
    throw new Failure(
      answer['refused'] === 'busy' ? 'busy' : 'forbidden',
      answer['refused'] === 'busy'
        ? `The reflector at ${quote(host)} is testing with another machine now. Try again in a minute.`
        : `The reflector at ${quote(host)} does not know the token ${quote(token)}. Take the one that it has printed.`,
    );
  }
  const { opened, shut, from } = answer;
  return {
    seal: sealOf(token, nonces),
    opened: Array.isArray(opened) ? opened.map(String) : [],
    shut: typeof shut === 'object' && shut !== null ? (shut as Record<string, string>) : {},
    from: String(from),
  };
}

function readCounts(answer: Record<string, unknown>): Map<string, { arrived: number; from: string | null }> {
  const counts = Array.isArray(answer['counts']) ? (answer['counts'] as Record<string, unknown>[]) : [];
  return new Map(
    counts.map(({ id, arrived, from }) => [
      String(id),
      { arrived: Number(arrived), from: typeof from === 'string' ? from : null },
    ]),
  );
}

function wanted({ tallies }: Path, ...carriers: Crossing['carrier'][]): Crossing[] {
  return CROSSINGS.filter(
    ({ id, carrier }) => carriers.includes(carrier) && tallies.get(id)!.untried === null,
  );
}

function question(path: Path, crossing: Crossing, number: number, reply: number): Uint8Array {
  return emitMark({ crossing: CROSSINGS.indexOf(crossing), isAnswer: false, number, reply }, path.seal);
}

/** Counts an answer, whatever it is of; what is none is nothing. */
function hear({ seal, tallies }: Path, read: () => Uint8Array): void {
  try {
    const mark = parseMark(read(), seal);
    const crossing = mark?.isAnswer ? CROSSINGS[mark.crossing] : undefined;
    if (mark && crossing) tallies.get(crossing.id)!.back.add(mark.number);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
  }
}

/** Sends every packet at its time, and then waits for the last answers, not longer than is needed. */
async function sendAll(
  { tallies }: Path,
  crossings: readonly Crossing[],
  send: (crossing: Crossing, number: number) => void,
): Promise<void> {
  let at = 0;
  for (const [number, sentAt] of SENT_AT_MS.entries()) {
    await sleep(sentAt - at);
    at = sentAt;
    for (const crossing of crossings) {
      tallies.get(crossing.id)!.sent += 1;
      send(crossing, number);
    }
  }
  const until = performance.now() + ANSWER_MS;
  const isComplete = ({ id }: Crossing): boolean => tallies.get(id)!.back.size === SENT_AT_MS.length;
  while (performance.now() < until && !crossings.every(isComplete)) await sleep(20);
}

async function tryDatagrams(path: Path): Promise<void> {
  const crossings = wanted(path, 'udp');
  const ports = [...new Set(crossings.map(({ port }) => port!))];
  const sockets = new Map<number, UdpSocket>();
  for (const port of ports) {
    const socket = await bindNear(port);
    socket.on('message', (payload, from) => {
      if (from.address === path.address && from.port === port)
        hear(path, () => undressDatagram(port, payload));
    });
    sockets.set(port, socket);
  }
  const label = randomInt(1, 0x7fff_ffff);
  for (const { id, port } of crossings) path.tallies.get(id)!.sourcePort = sockets.get(port!)!.address().port;
  await sendAll(path, crossings, (crossing, number) => {
    const mark = question(path, crossing, number, label);
    const bytes = dress(crossing, { mark, isAnswer: false, label, number });
    sockets.get(crossing.port!)!.send(bytes, crossing.port!, path.address, () => undefined);
  });
  for (const socket of sockets.values()) socket.close();
}

/** From the port that real ones use, as IKE and L2TP do, or from any where that is taken. */
function bindNear(port: number): Promise<UdpSocket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', () => {
      socket.close();
      if (port === 0) reject(new Failure('bad-request', 'No UDP port can be opened on this machine.'));
      else bindNear(0).then(resolve, reject);
    });
    socket.bind(port, () => {
      socket.removeAllListeners('error');
      // ICMP errors about what was sent: the far end's count says more.
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}

const MAY_NOT = 'It needs a raw socket, which only root may open: run it with sudo.';

async function tryEsp(path: Path): Promise<void> {
  const crossings = wanted(path, 'esp');
  if (crossings.length === 0) return;
  // RFC 4303 2.1: 1 to 255 are reserved. One SPI each way, as of one tunnel.
  const [out, back] = [randomInt(0x100, 0x7fff_ffff), randomInt(0x100, 0x7fff_ffff)];
  await overRaw(path, 'esp', crossings, (crossing, number) =>
    dress(crossing, {
      mark: question(path, crossing, number, back),
      isAnswer: false,
      label: out,
      // Each packet of the tunnel has its own sequence number.
      number: number * crossings.length + crossings.indexOf(crossing),
    }),
  );
}

async function overRaw(
  path: Path,
  carrier: 'esp' | 'gre',
  crossings: readonly Crossing[],
  emit: (crossing: Crossing, number: number) => Uint8Array,
): Promise<void> {
  try {
    const socket = openRawSocket(ipProtocols[carrier], path.address, {
      onPacket: (packet) => hear(path, () => undressRaw(carrier, parseIpv4Packet(packet).payload).inside),
      onRefused: () => undefined,
    });
    await sendAll(path, crossings, (crossing, number) => {
      try {
        socket.send(emit(crossing, number));
      } catch (error) {
        // An ICMP error about an earlier one comes up here, and this one was not sent.
        if (!(error instanceof LinuxError)) throw error;
        path.tallies.get(crossing.id)!.refusal = error.errno;
      }
    });
    socket.close();
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
    for (const { id } of crossings)
      path.tallies.get(id)!.untried =
        error.errno === 'EPERM' || error.errno === 'EACCES'
          ? MAY_NOT
          : `It could not be sent (${error.errno}).`;
  }
}

async function tryTcp(path: Path): Promise<void> {
  const crossings = wanted(path, 'tcp').filter(({ form }) => form === 'plain');
  await Promise.all(
    crossings.map(async (crossing) => {
      const tally = path.tallies.get(crossing.id)!;
      tally.sent = 1;
      let heard = Buffer.alloc(0);
      await connection(path, crossing, tally, (socket, done) => {
        socket.write(question(path, crossing, 0, 0));
        socket.on('data', (chunk: Buffer) => {
          heard = Buffer.concat([heard, chunk]);
          if (heard.length < MARK_BYTES) return;
          hear(path, () => heard);
          done();
        });
      });
    }),
  );
}

/** Resolves when `converse` is done, or the connection ends, or nothing more is to be expected. */
function connection(
  { address }: Path,
  { port }: Crossing,
  tally: Tally,
  converse: (socket: Socket, done: () => void) => void,
): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: port! });
    const done = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve();
    };
    const timer = setTimeout(() => {
      tally.refusal ??= 'ETIMEDOUT';
      done();
    }, CONNECT_MS);
    socket.once('error', (error: NodeJS.ErrnoException) => {
      tally.refusal = error.code ?? 'unknown';
      done();
    });
    socket.once('close', done);
    socket.once('connect', () => converse(socket, done));
  });
}

async function tryPptp(path: Path): Promise<void> {
  const control = CROSSINGS.find(({ id }) => id === 'pptp')!;
  const data = CROSSINGS.find(({ id }) => id === 'gre')!;
  const tally = path.tallies.get(data.id)!;
  if (path.tallies.get(control.id)!.untried !== null) {
    tally.untried ??= 'Its control connection (TCP 1723) could not be tried.';
    return;
  }
  path.tallies.get(control.id)!.sent = 1;
  const ownCallId = randomInt(1, 0x10000);
  const stream = createPptpStream();
  let isCalled = false;
  await connection(path, control, path.tallies.get(control.id)!, (socket, done) => {
    socket.write(emitPptp(pptpStartRequest(Buffer.from(question(path, control, 0, 0)).toString('hex'))));
    socket.on('data', (chunk: Buffer) => {
      for (const message of stream.push(chunk)) {
        if (message.kind === 'start-reply') {
          hear(path, () => Buffer.from(message.hostName, 'hex'));
          socket.write(emitPptp(pptpCallRequest(ownCallId, randomBytes(1)[0]!)));
        } else if (message.kind === 'outgoing-call-reply' && message.resultCode === PPTP_OK && !isCalled) {
          isCalled = true;
          const { callId } = message;
          if (tally.untried !== null) return done();
          void overRaw(path, 'gre', [data], (crossing, number) =>
            dress(crossing, {
              mark: question(path, crossing, number, 0),
              isAnswer: false,
              label: callId,
              number,
            }),
          ).then(() => socket.end(emitPptp({ kind: 'stop-request', reason: 1 }), done));
        }
      }
    });
  });
  if (!isCalled)
    tally.untried ??= 'Its control connection (TCP 1723) did not come about, so there was no call.';
}
