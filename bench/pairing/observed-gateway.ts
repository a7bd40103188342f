// The machine under test behind the kernel's rules that help it: ARCHITECTURE.md, one device at a time,
// rule for rule. Copies reach the daemon in their order and a little late; what it wants is done after
// another moment. The daemon is never told the truth.
import type { Ipv4Address } from '../../src/core/address.ts';
import type { EspPairing } from '../../src/core/alg/esp-pairing.ts';
import type { Fact, Flow, PairingEffect } from '../../src/core/alg/fact.ts';
import type { Spi } from '../../src/core/wire/esp.ts';
import type { IsakmpMessage } from '../../src/core/wire/isakmp.ts';
import type { EspPacket, GatewayUnderTest, IkePacket, Outside, Packet } from './packet.ts';
import type { Random } from './random.ts';

const TURN_MS = 2000;
/** From the packet to the machine: the copy's way through the kernel's queue and the event loop. */
const COPY_MS = 1;
const COPY_JITTER_MS = 2;
/** From the machine to the kernel's map or the wire. */
const EFFECT_MS = 0.3;
const SERVER = '203.0.113.5' as Ipv4Address;

const addressOf = (device: number): Ipv4Address => `192.168.1.${device + 10}` as Ipv4Address;
const deviceOf = (address: Ipv4Address): number => Number(address.split('.')[3]) - 10;

export class ObservedGateway implements GatewayUnderTest {
  readonly #outside: Outside;
  readonly #random: Random;
  readonly #machine: EspPairing;
  readonly #in = new Map<number, number>();
  readonly #trial = new Map<number, number>();
  readonly #certain = new Set<number>();
  readonly #out = new Set<number>();
  readonly #watched = new Set<number>();
  readonly #devices = new Set<number>();
  readonly #tracked = new Set<number>();
  #turnUntil = 0;
  readonly #holders = new Map<number, number>();
  readonly #cookies = new Map<bigint, number>();
  readonly #held = new Map<number, Packet>();
  #heldCount = 0;
  #lastCopyAt = 0;
  #wakeAt = Infinity;

  constructor(outside: Outside, random: Random, machine: EspPairing) {
    this.#outside = outside;
    this.#random = random;
    this.#machine = machine;
  }

  fromLan(packet: Packet): void {
    if (packet.kind === 'ike') this.#ike(packet);
    else this.#espOut(packet);
  }

  fromWan(packet: Packet): void {
    if (packet.kind === 'ike') this.#ike(packet);
    else this.#espIn(packet);
  }

  ownerOf(spi: number): number | null {
    return this.#in.get(spi) ?? this.#trial.get(spi) ?? null;
  }

  isCertain(spi: number): boolean {
    return this.#certain.has(spi);
  }

  #pass(packet: IkePacket): void {
    if (packet.from === 'lan') this.#outside.toServer(packet);
    else this.#outside.toDevice(packet.client, packet);
  }

  #ike(packet: IkePacket): void {
    if (packet.unseen !== 'all') this.#track(packet.client);
    if (packet.unseen !== 'no') return this.#pass(packet);
    const isRequest = packet.version === 1 || !packet.response;
    const { exchangeType } = packet;
    const isPhaseTwo =
      exchangeType === 32 || exchangeType === 36 || (exchangeType === 35 && packet.from === 'lan');
    if (!isPhaseTwo) {
      this.#hear(this.#ikeFact(packet, null));
      return this.#pass(packet);
    }
    this.#devices.add(packet.client);
    const now = this.#outside.now();
    if (isRequest && this.#isHeldBack(packet, now))
      return this.#hear(this.#ikeFact(packet, this.#hold(packet)));
    this.#hear(this.#ikeFact(packet, null));
    this.#pass(packet);
  }

  /** Conntrack tells of each connection once. */
  #track(device: number): void {
    if (this.#tracked.has(device)) return;
    this.#tracked.add(device);
    this.#hear({ kind: 'flow', change: 'new', flow: flowOf(device) });
  }

  #isHeldBack(packet: IkePacket, now: number): boolean {
    const itsExchange = (this.#cookies.get(packet.initiatorSpi) ?? 0) > now;
    if (packet.from === 'wan') {
      if (itsExchange) return false;
      if (this.#turnUntil > now) return true;
      this.#turnUntil = now + TURN_MS;
    } else if ((this.#holders.get(packet.client) ?? 0) <= now) {
      if (itsExchange) return false;
      if (this.#turnUntil > now) return true;
      this.#take(packet.client, now);
    }
    if (!itsExchange) this.#cookies.set(packet.initiatorSpi, now + TURN_MS);
    return false;
  }

  #take(device: number, now: number): void {
    this.#turnUntil = now + TURN_MS;
    this.#holders.set(device, now + TURN_MS);
  }

  #espOut(packet: EspPacket): void {
    const device = packet.client!;
    if (this.#out.has(packet.spi)) return this.#outside.toServer(packet);
    this.#devices.add(device);
    const fact = {
      kind: 'esp-sent',
      client: addressOf(device),
      server: SERVER,
      packet: headOf(packet),
    } as const;
    if (this.#devices.size === 1) {
      this.#out.add(packet.spi);
      this.#hear({ ...fact, held: null });
      return this.#outside.toServer(packet);
    }
    const now = this.#outside.now();
    if (!this.#watched.has(packet.spi) && (this.#holders.get(device) ?? 0) <= now) {
      if (this.#turnUntil > now) return this.#hear({ ...fact, held: this.#hold(packet) });
      this.#take(device, now);
    }
    this.#hear({ ...fact, held: null });
    this.#outside.toServer(packet);
  }

  #espIn(packet: EspPacket): void {
    const known = this.#in.get(packet.spi);
    if (known !== undefined) {
      if (packet.sequence === 1) {
        this.#hear({
          kind: 'esp-begun-again',
          client: addressOf(known),
          server: SERVER,
          spi: packet.spi as Spi,
        });
      }
      return this.#outside.toDevice(known, packet);
    }
    const tried = this.#trial.get(packet.spi);
    if (tried !== undefined) {
      this.#hear({ kind: 'esp-passed', client: addressOf(tried), server: SERVER, packet: headOf(packet) });
      return this.#outside.toDevice(tried, packet);
    }
    if (this.#devices.size === 1) {
      // The only device gets it; that it is stored too is what the waiting slots do.
      const [sole] = this.#devices;
      this.#in.set(packet.spi, sole!);
      this.#hear({ kind: 'esp-learned', client: addressOf(sole!), server: SERVER, spi: packet.spi as Spi });
      return this.#outside.toDevice(sole!, packet);
    }
    this.#hear({ kind: 'esp-arrived', server: SERVER, packet: headOf(packet), held: this.#hold(packet) });
  }

  #hold(packet: Packet): number {
    this.#heldCount += 1;
    this.#held.set(this.#heldCount, packet);
    return this.#heldCount;
  }

  #ikeFact(packet: IkePacket, held: number | null): Fact {
    return {
      kind: 'ike',
      from: packet.from,
      client: addressOf(packet.client),
      server: SERVER,
      port: 500,
      message: messageOf(packet),
      held,
    };
  }

  #hear(fact: Fact): void {
    const outside = this.#outside;
    const at = Math.max(outside.now() + COPY_MS + this.#random.between(0, COPY_JITTER_MS), this.#lastCopyAt);
    this.#lastCopyAt = at;
    outside.after(at - outside.now(), () => {
      this.#want(this.#machine.handle(fact, outside.now()));
    });
  }

  #want(effects: readonly PairingEffect[]): void {
    for (const effect of effects) {
      this.#outside.after(EFFECT_MS, () => this.#apply(effect));
    }
    const outside = this.#outside;
    const wakeAt = this.#machine.nextWake();
    if (wakeAt === null || wakeAt >= this.#wakeAt) return;
    this.#wakeAt = wakeAt;
    outside.after(wakeAt - outside.now(), () => {
      if (this.#wakeAt !== wakeAt) return;
      this.#wakeAt = Infinity;
      this.#want(this.#machine.wake(outside.now()));
    });
  }

  #apply(effect: PairingEffect): void {
    const now = this.#outside.now();
    switch (effect.kind) {
      case 'pair':
        this.#in.delete(effect.spi);
        this.#trial.delete(effect.spi);
        (effect.trial ? this.#trial : this.#in).set(effect.spi, deviceOf(effect.client));
        if (effect.confidence === 'certain') this.#certain.add(effect.spi);
        else this.#certain.delete(effect.spi);
        return;
      case 'unpair':
        this.#certain.delete(effect.spi);
        this.#in.delete(effect.spi);
        this.#trial.delete(effect.spi);
        return;
      case 'deliver': {
        const packet = this.#held.get(effect.held);
        if (packet) this.#outside.toDevice(deviceOf(effect.client), packet);
        return;
      }
      case 'release': {
        const packet = this.#held.get(effect.held);
        this.#held.delete(effect.held);
        if (packet?.kind === 'ike') this.#pass(packet);
        else if (packet) this.#outside.toServer(packet);
        return;
      }
      case 'drop-held':
        this.#held.delete(effect.held);
        return;
      case 'turn':
        this.#holders.clear();
        this.#cookies.clear();
        if (effect.client !== null) this.#take(deviceOf(effect.client), now);
        return;
      case 'outbound':
        this.#out.delete(effect.spi);
        this.#watched.delete(effect.spi);
        if (effect.as === 'known') this.#out.add(effect.spi);
        else if (effect.as === 'watched') this.#watched.add(effect.spi);
        return;
      default:
    }
  }
}

function flowOf(device: number): Flow {
  return {
    id: device + 1,
    protocol: 17,
    client: addressOf(device),
    server: SERVER,
    clientPort: 500,
    serverPort: 500,
    wanPort: 500 - device,
    answered: false,
    assured: false,
    tcpState: null,
    timeoutSeconds: 330,
    startedUnixMs: null,
    out: null,
    in: null,
  };
}

function headOf({ spi, sequence, length }: EspPacket): { spi: Spi; sequence: number; rest: Uint8Array } {
  return { spi: spi as Spi, sequence, rest: new Uint8Array(Math.min(length, 1)) };
}

function messageOf(packet: IkePacket): IsakmpMessage {
  return {
    header: {
      initiatorSpi: packet.initiatorSpi,
      responderSpi: packet.responderSpi,
      nextPayload: 46,
      majorVersion: packet.version,
      minorVersion: 0,
      exchangeType: packet.exchangeType,
      flags: {
        encryption: packet.version === 1,
        commit: false,
        authenticationOnly: false,
        initiator: packet.initiator,
        higherVersion: false,
        response: packet.response,
      },
      messageId: packet.messageId,
      length: packet.length,
    },
    payloads: [],
    encrypted: null,
  };
}
