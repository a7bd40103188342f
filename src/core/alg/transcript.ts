// What a machine heard and what it wanted done, as text: `>>` in, `<<` out, each with its time. The
// daemon's --trace writes it and the tests read it, so that a field report becomes a test. Of ESP and
// of what IKE encrypts only the length is kept; reading it back gives as many zero bytes.
//
//   12.345 >> esp-sent client=192.168.1.11 server=203.0.113.5 packet=0x00001001#1+84
//   12.347 << deliver held=3 client=192.168.1.11
//
// A line that is empty or begins with "#" says nothing.
import type { Port } from '../address.ts';
import type { EspPacket, Spi } from '../wire/esp.ts';
import { exchangeTypes, type IsakmpFlags, type IsakmpMessage } from '../wire/isakmp.ts';
import { emitL2tp, parseL2tp } from '../wire/l2tp.ts';
import { emitPptp, parsePptp } from '../wire/pptp.ts';
import type { Fact, Flow, L2tpSeen, PairingEffect, PptpSeen } from './fact.ts';
import type { Instant } from './machine.ts';
import {
  address,
  boolean,
  bytes,
  hexNumber,
  ipv4,
  name,
  number,
  oneOf,
  parseFields,
  renderFields,
  text,
  TranscriptError,
  type Fields,
  type Form,
  type Mask,
  unmasked,
} from './transcript-forms.ts';

const spi = hexNumber<Spi>(8);
const direction = oneOf('out', 'in');

function pattern(word: string, shape: RegExp, allowed: string): readonly string[] {
  const found = shape.exec(word);
  if (found === null) throw new TranscriptError(`"${word}" is not ${allowed}`);
  return found.slice(1);
}

const esp: Form<EspPacket> = {
  write: ({ spi: index, sequence, rest }) =>
    `0x${index.toString(16).padStart(8, '0')}#${sequence}+${rest.length}`,
  read: (word) => {
    const [index, sequence, length] = pattern(
      word,
      /^(0x[0-9a-f]{8})#(\d{1,10})\+(\d{1,5})$/,
      'SPI, sequence number and length such as 0x00001001#1+84',
    );
    return { spi: spi.read(index!), sequence: Number(sequence), rest: new Uint8Array(Number(length)) };
  },
};

const exchangeNames = new Map<number, string>(
  Object.entries(exchangeTypes).map(([name, type]) => [type, name]),
);
const FLAGS = [
  'encryption',
  'commit',
  'authenticationOnly',
  'initiator',
  'higherVersion',
  'response',
] as const;

/** `v2.0,ikeAuth,id:1,spis:…-…,flags:initiator+response,next:46,length:348,clear:41-…,sealed:46-35-320` */
const isakmp: Form<IsakmpMessage> = {
  write: ({ header, payloads, encrypted }) => {
    const flags = FLAGS.filter((flag) => header.flags[flag]);
    const parts = [
      `v${header.majorVersion}.${header.minorVersion}`,
      exchangeNames.get(header.exchangeType) ?? String(header.exchangeType),
      `id:${header.messageId.toString(16)}`,
      `spis:${header.initiatorSpi.toString(16)}-${header.responderSpi.toString(16)}`,
    ];
    if (flags.length > 0) parts.push(`flags:${flags.join('+')}`);
    parts.push(`next:${header.nextPayload}`, `length:${header.length}`);
    for (const { type, critical, body } of payloads) {
      parts.push(`clear:${type}${critical ? '!' : ''}-${bytes.write(body, (same) => same)}`);
    }
    if (encrypted !== null) {
      parts.push(
        `sealed:${encrypted.payloadType ?? 'all'}-${encrypted.firstPayload}-${encrypted.bytes.length}`,
      );
    }
    return parts.join(',');
  },
  read: (word) => {
    const [version, exchange, ...rest] = word.split(',');
    const [major, minor] = pattern(version!, /^v([12])\.(\d{1,2})$/, 'a version such as v2.0');
    const named = Object.entries(exchangeTypes).find(([name]) => name === exchange)?.[1];
    const parts = rest.map((part) => pattern(part, /^([a-z]+):(.*)$/, 'a part such as id:1'));
    const one = (name: string): string => parts.find(([key]) => key === name)?.[1] ?? '';
    const [initiatorSpi, responderSpi] = pattern(
      one('spis'),
      /^([0-9a-f]{1,16})-([0-9a-f]{1,16})$/,
      'two SPIs in hex',
    );
    const flags = one('flags').split('+');
    const sealed = one('sealed');
    return {
      header: {
        initiatorSpi: BigInt(`0x${initiatorSpi}`),
        responderSpi: BigInt(`0x${responderSpi}`),
        nextPayload: number.read(one('next')),
        majorVersion: Number(major) as 1 | 2,
        minorVersion: Number(minor),
        exchangeType: named ?? number.read(exchange ?? ''),
        flags: Object.fromEntries(
          FLAGS.map((flag) => [flag, flags.includes(flag)]),
        ) as unknown as IsakmpFlags,
        messageId: Number.parseInt(pattern(one('id'), /^([0-9a-f]{1,8})$/, 'a message id in hex')[0]!, 16),
        length: number.read(one('length')),
      },
      payloads: parts
        .filter(([key]) => key === 'clear')
        .map(([, value]) => {
          const [type, critical, body] = pattern(value!, /^(\d{1,3})(!?)-([0-9a-f]*)$/, 'a payload');
          return { type: Number(type), critical: critical === '!', body: bytes.read(body!) };
        }),
      encrypted: sealed === '' ? null : readSealed(sealed),
    };
  },
};

function readSealed(word: string): IsakmpMessage['encrypted'] {
  const [type, first, length] = pattern(word, /^(all|\d{1,3})-(\d{1,3})-(\d{1,5})$/, 'what is encrypted');
  return {
    payloadType: type === 'all' ? null : Number(type),
    firstPayload: Number(first),
    bytes: new Uint8Array(Number(length)),
  };
}

/** A control message as its bytes, behind its name, which is for people only. */
function wire<T>(
  name: (value: T) => string,
  emit: (value: T) => Uint8Array,
  parse: (all: Uint8Array) => T,
): Form<T> {
  return {
    write: (value) => `${name(value)}:${bytes.write(emit(value), (same) => same)}`,
    read: (word) => {
      const [, hex] = pattern(word, /^([\w-]+):([0-9a-f]+)$/, 'a name and bytes in hex');
      try {
        return parse(bytes.read(hex!));
      } catch (error) {
        throw new TranscriptError(`"${word}" is no message: ${String(error)}`);
      }
    },
  };
}

const pptp = wire<PptpSeen['message']>(({ kind }) => kind, emitPptp, parsePptp);
const l2tp = wire<L2tpSeen['message']>(
  ({ version }) => `v${version}`,
  emitL2tp,
  (all) => {
    const message = parseL2tp(all);
    if (message.kind !== 'control') throw new TranscriptError('a data message');
    return message;
  },
);

const traffic: Form<{ readonly packets: number; readonly bytes: number }> = {
  write: (value) => `${value.packets}/${value.bytes}`,
  read: (word) => {
    const [packets, octets] = pattern(word, /^(\d+)\/(\d+)$/, 'packets/bytes');
    return { packets: Number(packets), bytes: Number(octets) };
  },
};

const flowFields = {
  id: number,
  protocol: number,
  client: address,
  server: address,
  clientPort: number,
  serverPort: number,
  wanPort: number,
  answered: boolean,
  assured: boolean,
  tcpState: number,
  timeoutSeconds: number,
  startedUnixMs: number,
  out: traffic,
  in: traffic,
} satisfies { [K in keyof Flow]: Form<NonNullable<Flow[K]>> };

const side = oneOf('lan', 'wan');
const port = number as unknown as Form<Port>;
const counted = { direction, client: ipv4, server: ipv4, spi };
const ends = { client: ipv4, server: ipv4 };

/** Each kind of fact has exactly its fields; `flow` is flat in the text. */
const FACTS: { [F in Exclude<Fact, { kind: 'flow' }> as F['kind']]: FieldsOf<F> } & { flow: Fields } = {
  ike: {
    from: side,
    client: address,
    server: address,
    port: number as unknown as Form<500 | 4500>,
    message: isakmp,
    held: number,
  },
  'esp-sent': { ...ends, packet: esp, held: number },
  'esp-arrived': { server: ipv4, packet: esp, held: number },
  'esp-passed': { ...ends, packet: esp },
  'esp-begun-again': { ...ends, spi },
  'esp-learned': { ...ends, spi },
  'esp-counted': { ...counted, packets: number, bytes: number },
  'esp-forgotten': counted,
  flow: { change: oneOf('new', 'update', 'end'), ...flowFields } as unknown as Fields,
  pptp: { from: side, client: address, server: address, clientPort: port, message: pptp },
  l2tp: { from: side, client: address, server: address, clientPort: port, serverPort: port, message: l2tp },
  recognised: {
    protocol: oneOf('openvpn', 'wireguard', 'sstp', 'softether', 'anyconnect', 'stun'),
    guessed: boolean,
    transport: oneOf('udp', 'tcp'),
    client: address,
    server: address,
    clientPort: port,
    serverPort: port,
    serverName: name,
  },
  refused: { protocol: oneOf('ipsec', 'pptp', 'l2tp'), client: address, server: address },
  missed: { copies: number },
};

const EFFECTS: { [E in PairingEffect as E['kind']]: FieldsOf<E> } = {
  pair: {
    server: ipv4,
    spi,
    client: ipv4,
    confidence: oneOf('certain', 'probable', 'ambiguous'),
    instead: ipv4,
    trial: boolean,
    evidence: text,
  },
  unpair: { server: ipv4, spi, reason: text },
  deliver: { held: number, client: ipv4 },
  mend: { server: ipv4, spi, client: ipv4 },
  release: { held: number },
  'drop-held': { held: number },
  turn: { server: ipv4, client: ipv4 },
  outbound: { ...ends, spi, as: oneOf('known', 'watched', 'forgotten') },
  flood: { server: ipv4, packets: number },
  collision: { server: ipv4, spi, client: ipv4, other: ipv4 },
};

type FieldsOf<E> = { readonly [K in Exclude<keyof E, 'kind'>]-?: Form<NonNullable<E[K]>> };

const asTable = (table: unknown): Readonly<Record<string, Fields>> =>
  table as Readonly<Record<string, Fields>>;

export function renderFact(fact: Fact, mask: Mask = unmasked): string {
  const flat = fact.kind === 'flow' ? { kind: fact.kind, change: fact.change, ...fact.flow } : fact;
  return renderFields(asTable(FACTS), flat, mask);
}

/** Throws TranscriptError. A field that is missing is null, whether it may be or not. */
export function parseFact(line: string): Fact {
  const flat = parseFields(asTable(FACTS), line);
  if (flat.kind !== 'flow') return flat as Fact;
  const { kind, change, ...flow } = flat as { kind: 'flow'; change: 'new' } & Flow;
  return { kind, change, flow };
}

export function renderPairingEffect(effect: PairingEffect, mask: Mask = unmasked): string {
  return renderFields(asTable(EFFECTS), effect, mask);
}

/** Throws TranscriptError. */
export function parsePairingEffect(line: string): PairingEffect {
  return parseFields(asTable(EFFECTS), line) as PairingEffect;
}

/** One line of a transcript: `>>` what was heard, `<<` what was wanted; `rest` is for the parsers above. */
export interface TranscriptLine {
  readonly at: Instant;
  readonly mark: '>>' | '<<';
  readonly rest: string;
}

export function renderLine({ at, mark, rest }: TranscriptLine): string {
  const milliseconds = Math.round(at);
  const seconds = Math.floor(milliseconds / 1000);
  return `${seconds}.${String(milliseconds % 1000).padStart(3, '0')} ${mark} ${rest}`;
}

/** The lines of a transcript; throws TranscriptError with the number of the line that cannot be read. */
export function parseTranscript(transcript: string): TranscriptLine[] {
  return transcript.split('\n').flatMap((line, index): TranscriptLine[] => {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) return [];
    const found = /^(\d+)\.(\d{3}) (>>|<<) (.+)$/.exec(trimmed);
    if (found === null) {
      throw new TranscriptError(
        `line ${index + 1}: "${trimmed}" is not of the form "12.345 >> what happened" or "12.345 << what to do"`,
      );
    }
    const [, seconds, milliseconds, mark, rest] = found;
    const at = Number(seconds) * 1000 + Number(milliseconds);
    return [{ at, mark: mark as '>>' | '<<', rest: rest! }];
  });
}
