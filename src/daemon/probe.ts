// Tries which VPN protocols a server answers, from the gateway itself: sends the messages of core/probe,
// waits, and gives up in time. Few packets, one host at a time, bounded bytes and seconds; what a
// server sends is only ever read, never kept or shown beyond one sentence.
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Ipv4Address } from '../core/address.ts';
import { quote } from '../core/config/problem.ts';
import type { Passthrough as Switches } from '../core/config/schema.ts';
import type { Attempt, Finding, Probe, Reaction } from '../core/probe/attempt.ts';
import { ikeFromPort500Probe } from '../core/probe/ike.ts';
import { conclusion, meaning, PROBES } from '../core/probe/probes.ts';
import { emitEsp } from '../core/wire/esp.ts';
import { emitGre, parseGre } from '../core/wire/gre.ts';
import { ipProtocols, parseIpv4Packet } from '../core/wire/ipv4.ts';
import { WireError } from '../core/wire/bytes.ts';
import { LinuxError } from '../linux/libc.ts';
import { openRawSocket, type RawSocket } from '../linux/raw-socket.ts';
import type { ProbeReport, ProbeResult } from './api/probe.ts';
import { Failure, reasonOf } from './failure.ts';

/** When a datagram is sent, and when a server that has not answered is called silent. */
export interface Patience {
  readonly repeatMs: readonly number[];
  readonly patienceMs: number;
}

const PATIENCE: Patience = { repeatMs: [0, 1_000, 2_200], patienceMs: 3_600 };
const LOOKUP_MS = 4_000;
/** A host with many addresses is not tried for ever. */
const MOST_ADDRESSES = 3;
/** A server that keeps talking is cut off. */
const MOST_BYTES = 65_536;

/** Refuses what is neither an address nor a name before anything is sent. Throws Failure. */
function parseProbeHost(text: string): string {
  const host = text.trim();
  const isName =
    /^(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.?$/i;
  if (isIP(host) !== 0 || (isName.test(host) && !/^[\d.]+$/.test(host))) return host;
  throw new Failure(
    'bad-request',
    `${quote(text)} is neither a name nor an address. Give one server, such as "vpn.example.org" or "203.0.113.5", without port or path.`,
  );
}

export interface Prober {
  /** Tries one host; another one meanwhile is refused. `onResult` is called as each result comes. Throws Failure. */
  probe(host: string, onResult: (result: ProbeResult) => void, signal: AbortSignal): Promise<ProbeReport>;
}

export function createProber(switches: () => Switches): Prober {
  let busyWith: string | null = null;
  return {
    async probe(text, onResult, signal) {
      const host = parseProbeHost(text);
      if (busyWith !== null) {
        throw new Failure(
          'busy',
          `The gateway is trying ${quote(busyWith)} now. One server at a time: try again in a few seconds.`,
        );
      }
      busyWith = host;
      try {
        return await probeHost(host, switches(), onResult, signal);
      } finally {
        busyWith = null;
      }
    },
  };
}

async function probeHost(
  host: string,
  switches: Switches,
  onResult: (result: ProbeResult) => void,
  signal: AbortSignal,
): Promise<ProbeReport> {
  const began = performance.now();
  const addresses = await addressesOf(host);
  const results: ProbeResult[] = [];
  for (const address of addresses.slice(0, MOST_ADDRESSES)) {
    if (signal.aborted) break;
    const tell = (result: ProbeResult): void => {
      results.push(result);
      onResult(result);
    };
    await probeAddress(host, address, switches, tell, signal);
  }
  return {
    host,
    addresses,
    results,
    conclusion: conclusion(host, results),
    took_ms: Math.round(performance.now() - began),
  };
}

async function addressesOf(host: string): Promise<string[]> {
  if (isIP(host) !== 0) return [host];
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('no answer from the name server')), LOOKUP_MS);
  });
  try {
    const found = await Promise.race([lookup(host, { all: true, verbatim: false }), patience]);
    return [...new Set(found.map((one) => one.address))];
  } catch (error) {
    throw new Failure(
      'host-unknown',
      `The name ${quote(host)} cannot be found (${reasonOf(error)}). Check its spelling and the gateway's name server, or give the address.`,
    );
  } finally {
    clearTimeout(timer);
  }
}

async function probeAddress(
  host: string,
  address: string,
  switches: Switches,
  tell: (result: ProbeResult) => void,
  signal: AbortSignal,
): Promise<void> {
  const run = async (probe: Probe): Promise<Finding> => {
    const began = performance.now();
    const outcome = await tryProbe(probe, host, address, signal, PATIENCE);
    tell({
      id: probe.id,
      name: probe.name,
      address,
      transport: probe.transport,
      port: probe.port,
      passthrough: probe.passthrough,
      verdict: outcome.verdict,
      detail: outcome.detail,
      meaning: meaning(probe, outcome, switches),
      took_ms: Math.round(performance.now() - began),
    });
    return outcome;
  };
  const outcomes = new Map(
    await Promise.all(PROBES.map(async (probe) => [probe.id, await run(probe)] as const)),
  );
  if (signal.aborted) return;
  const isV4 = isIP(address) === 4;
  const later: Promise<unknown>[] = [];
  const ike = ['ikev2', 'ikev1'].map((id) => outcomes.get(id)!);
  if (ike.every((one) => one.verdict === 'silent')) later.push(run(ikeFromPort500Probe));
  if (isV4) later.push(tryEsp(address as Ipv4Address, switches, tell));
  await Promise.all(later);
}

/** One attempt at one address; `host` is what the user has typed. */
export function tryProbe(
  probe: Probe,
  host: string,
  address: string,
  signal: AbortSignal,
  patience: Patience,
): Promise<Finding> {
  const attempt = probe.begin(randomBytes, host);
  return probe.transport === 'udp'
    ? overUdp(probe, attempt, address, signal, patience)
    : overStream(probe, attempt, host, address, signal, patience);
}

const SILENT: Finding = { verdict: 'silent', detail: 'No answer.' };

/** What an error of a socket says about the server. */
function refusal(code: string | undefined): Finding {
  switch (code) {
    case 'ECONNREFUSED':
      return { verdict: 'closed', detail: 'The port is shut: nothing listens there.' };
    case 'ECONNRESET':
    case 'EPIPE':
      return { verdict: 'other', detail: 'Something answered and hung up at once.' };
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EACCES':
      return { verdict: 'unreachable', detail: `The way there is barred, or there is none (${code}).` };
    case 'ETIMEDOUT':
      return SILENT;
    default:
      return { verdict: 'unreachable', detail: `It could not be tried (${code ?? 'unknown error'}).` };
  }
}

/** What a TLS alert of the server means (RFC 8446 6.2), or null for another error; OpenSSL names it in the code. */
function tlsAlert(code: string | undefined): string | null {
  const name = /_ALERT_([A-Z_]+)$/
    .exec(code ?? '')?.[1]
    ?.toLowerCase()
    .replaceAll('_', ' ');
  if (name === undefined) return null;
  const meaning = {
    'handshake failure':
      'none of the offered ciphers or versions suits it, or it wants a certificate of the client',
    'bad certificate': 'it does not accept the certificate of the client',
    'certificate required': 'it wants a certificate of the client',
    'certificate unknown': 'it does not accept the certificate of the client',
    'certificate expired': 'the certificate of the client has expired; see that clocks are right',
    'unrecognized name': 'it knows no server of this name',
    'protocol version': 'it does not speak this version of TLS',
    'access denied': 'it does not let this client in',
    'internal error': 'it has an error of its own',
  }[name];
  return meaning === undefined ? `alert "${name}"` : `alert "${name}", which means that ${meaning}`;
}

function overUdp(
  probe: Probe,
  attempt: Attempt,
  address: string,
  signal: AbortSignal,
  { repeatMs, patienceMs }: Patience,
): Promise<Finding> {
  return new Promise((resolve) => {
    const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4');
    const timers: NodeJS.Timeout[] = [];
    let finished = false;
    const finish = (outcome: Finding): void => {
      if (finished) return;
      finished = true;
      for (const timer of timers) clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      socket.close();
      resolve(outcome);
    };
    const abort = (): void => finish(SILENT);
    signal.addEventListener('abort', abort);
    socket.on('error', (error: NodeJS.ErrnoException) =>
      finish(
        error.code === 'EADDRINUSE'
          ? {
              verdict: 'unreachable',
              detail: `Port ${probe.sourcePort} of the gateway is in use by another program.`,
            }
          : refusal(error.code),
      ),
    );
    socket.on('message', (bytes) => {
      const reaction = attempt.hear(bytes);
      if (reaction === null) return;
      if ('say' in reaction) socket.send(reaction.say);
      else if (reaction.farewell === undefined) finish(reaction.finding);
      else socket.send(reaction.farewell, () => finish(reaction.finding));
    });
    socket.bind(probe.sourcePort ?? 0, () => {
      // A connected socket hears of ports that are shut, and of nobody else.
      socket.connect(probe.port, address, (error?: NodeJS.ErrnoException) => {
        if (error) return finish(refusal(error.code));
        for (const after of repeatMs) {
          timers.push(setTimeout(() => socket.send(attempt.opening, () => undefined), after));
        }
      });
    });
    timers.push(setTimeout(() => finish(SILENT), patienceMs));
  });
}

function overStream(
  probe: Probe,
  attempt: Attempt,
  host: string,
  address: string,
  signal: AbortSignal,
  patience: Patience,
): Promise<Finding> {
  return new Promise((resolve) => {
    let connected = false;
    let heard = 0;
    const socket: Socket =
      probe.transport === 'tls'
        ? connectTls({
            host: address,
            port: probe.port,
            // What the certificate says is the client's business; only the protocol is asked for.
            rejectUnauthorized: false,
            ...(isIP(host) === 0 ? { servername: host } : {}),
          })
        : connectTcp({ host: address, port: probe.port });
    const finish = (outcome: Finding): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      socket.destroy();
      resolve(outcome);
    };
    const abort = (): void => finish(SILENT);
    const timer = setTimeout(
      () =>
        finish(
          connected
            ? { verdict: 'other', detail: 'Something accepted the connection and then said nothing.' }
            : SILENT,
        ),
      patience.patienceMs,
    );
    signal.addEventListener('abort', abort);
    socket.once(probe.transport === 'tls' ? 'secureConnect' : 'connect', () => {
      connected = true;
      socket.write(attempt.opening);
    });
    socket.on('data', (bytes: Buffer) => {
      heard += bytes.length;
      if (heard > MOST_BYTES) return finish({ verdict: 'other', detail: 'Something answered without end.' });
      const reaction: Reaction = attempt.hear(bytes);
      if (reaction === null) return;
      if ('say' in reaction) socket.write(reaction.say);
      else if (reaction.gre !== undefined && isIP(address) === 4) {
        // The call is open as long as the control connection is.
        socket.pause();
        void tryGre(address as Ipv4Address, reaction.gre, patience).then((gre) => {
          if (reaction.farewell !== undefined) socket.write(reaction.farewell);
          finish({ verdict: gre.verdict, detail: `${reaction.finding.detail} ${gre.detail}` });
        });
        clearTimeout(timer);
      } else if (reaction.farewell === undefined) finish(reaction.finding);
      else socket.write(reaction.farewell, () => finish(reaction.finding));
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const alert = tlsAlert(error.code);
      if (alert !== null) return finish({ verdict: 'other', detail: `The server refused TLS: ${alert}.` });
      finish(
        connected || error.code === undefined || !/^E[A-Z]+$/.test(error.code)
          ? { verdict: 'other', detail: `Something answered, but it is no ${probe.name}.` }
          : refusal(error.code),
      );
    });
    socket.on('close', () => finish({ verdict: 'other', detail: 'Something answered and hung up at once.' }));
  });
}

/** PPP LCP Configure-Request with a magic number (RFC 1661 5.1), as both ends of a PPTP call begin. */
function lcpRequest(): Uint8Array {
  return Uint8Array.of(0xff, 0x03, 0xc0, 0x21, 1, 1, 0, 10, 5, 6, ...randomBytes(4));
}

/** Whether data of a PPTP call passes both ways. */
async function tryGre(
  address: Ipv4Address,
  { ownCallId, sendCallId }: { readonly ownCallId: number; readonly sendCallId: number },
  patience: Patience,
): Promise<Finding> {
  const request = emitGre({
    version: 1,
    callId: sendCallId,
    sequence: 0,
    acknowledgment: null,
    payload: lcpRequest(),
  });
  const isAnswer = (payload: Uint8Array): boolean => {
    const packet = parseGre(payload);
    return packet.version === 1 && packet.callId === ownCallId;
  };
  const heard = await askRaw({ protocol: ipProtocols.gre, address, payload: request, isAnswer }, patience);
  if (heard === 'answer') return { verdict: 'answered', detail: 'Its data (GRE) comes back too.' };
  if (heard === 'silent') {
    return {
      verdict: 'refused',
      detail:
        'Its data (GRE) does not come back: the server, or a provider on the way, blocks IP protocol 47.',
    };
  }
  return { verdict: 'answered', detail: `Whether its data (GRE) passes could not be tried (${heard}).` };
}

/** Whether somebody says that ESP is not wanted. Silence is what a healthy server does. */
async function tryEsp(
  address: Ipv4Address,
  switches: Switches,
  tell: (result: ProbeResult) => void,
): Promise<void> {
  const began = performance.now();
  // RFC 4303 2.1: 1 to 255 are reserved.
  const spi = 0x100 + randomBytes(3).readUIntBE(0, 3);
  const payload = emitEsp({ spi, sequence: 1, rest: randomBytes(64) });
  const heard = await askRaw({ protocol: ipProtocols.esp, address, payload, isAnswer: () => true }, PATIENCE);
  const finding: Finding =
    heard === 'answer'
      ? { verdict: 'answered', detail: 'ESP came back.' }
      : heard === 'silent'
        ? { verdict: 'silent', detail: 'No answer to an unknown SPI.' }
        : heard === 'ENOPROTOOPT'
          ? { verdict: 'closed', detail: 'The server says that it does not take ESP (protocol unreachable).' }
          : refusal(heard);
  const probe = {
    name: 'raw ESP',
    passthrough: 'ipsec' as const,
    silence:
      'A server drops ESP that it does not know without a word, so silence is normal and proves nothing.',
  };
  tell({
    id: 'esp',
    name: probe.name,
    address,
    transport: 'ip',
    port: null,
    passthrough: 'ipsec',
    verdict: finding.verdict,
    detail: finding.detail,
    meaning: meaning(probe, finding, switches),
    took_ms: Math.round(performance.now() - began),
  });
}

export interface RawQuestion {
  readonly protocol: number;
  readonly address: Ipv4Address;
  readonly payload: Uint8Array;
  /** May throw WireError. */
  readonly isAnswer: (payload: Uint8Array) => boolean;
  /** It may not be cut into pieces. */
  readonly whole?: boolean;
}

/** Sends one payload of an IP protocol a few times; resolves to what came: `answer`, `silent`, or an errno. */
export function askRaw(question: RawQuestion, { repeatMs, patienceMs }: Patience): Promise<string> {
  const { protocol, address, payload, isAnswer, whole = false } = question;
  return new Promise((resolve) => {
    const timers: NodeJS.Timeout[] = [];
    const finish = (heard: string): void => {
      for (const timer of timers) clearTimeout(timer);
      socket?.close();
      socket = null;
      resolve(heard);
    };
    const giveUp = (error: unknown): void =>
      finish(error instanceof LinuxError ? error.errno : reasonOf(error));
    let socket: RawSocket | null = null;
    try {
      socket = openRawSocket(
        protocol,
        address,
        {
          onPacket: (packet) => {
            try {
              if (isAnswer(parseIpv4Packet(packet).payload)) finish('answer');
            } catch (error) {
              if (!(error instanceof WireError)) throw error;
            }
          },
          onRefused: (errno) => finish(errno),
        },
        whole,
      );
    } catch (error) {
      giveUp(error);
      return;
    }
    for (const after of repeatMs) {
      timers.push(
        setTimeout(() => {
          try {
            socket?.send(payload);
          } catch (error) {
            giveUp(error);
          }
        }, after),
      );
    }
    timers.push(setTimeout(() => finish('silent'), patienceMs));
  });
}
