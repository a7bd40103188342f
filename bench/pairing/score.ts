// What became of each inbound SPI and of each packet in one schedule, with the truth at hand: whether
// its first packet went to its device, how long a wrong pair stood, what was lost, what waited.
import type { ChildSa } from './child-sa.ts';
import type { Clock } from './clock.ts';
import type { EspPacket, GatewayUnderTest, IkePacket, Packet } from './packet.ts';
import type { Schedule } from './schedule.ts';
import { Tunnel } from './tunnel.ts';

/** How long a wrong pair may stand. */
const REPAIR_MS = 10_000;
/** A packet that nothing tells the owner of is held for so long, and then goes to all that may be meant. */
const HELD_MS = 250;
/** An exchange counts as in the way of others until its SA was used, but no longer than this. */
const FRESH_MS = 2000;

/** One inbound SPI on which something came. */
export interface SpiScore {
  readonly firstAt: number;
  /** Whether its very first packet reached its device, and nobody else before; others may have got it too. */
  firstRight: boolean;
  /** Whether anybody else ever got that packet. */
  firstStrayed: boolean;
  /** What was said of it when the SA or the schedule ended. */
  certain: boolean;
  certainAndWrong: boolean;
  /** When anybody got it. */
  firstDoneAt: number | null;
  latest: EspPacket;
  /** When somebody else got a packet of it, and its device did not. */
  wrongAt: number | null;
  /** When its device got one, after the last that went wrong. */
  rightAgainAt: number | null;
  /** Whose it was ten seconds after the first packet, or at the end of the SA. */
  rightInTime: boolean | null;
  /** From its arrival to its delivery. */
  firstHeldMs: number | null;
  /**
   * The server spoke first, with no exchange or packet of its device that would tell, and another
   * device had an unused SA too, or nothing of the device was ever seen: the wire cannot tell whose it is.
   */
  readonly undecidable: boolean;
  /**
   * Nothing that the server sends on it is ever answered, so a wrong pair leaves no trace; or nothing at all of its
   * device was ever seen until `rightInTime` was looked at, not even by conntrack. Nobody on the way can know then.
   */
  unknowable: boolean;
}

interface Waited {
  readonly ms: number;
  readonly overlap: boolean;
  readonly kind: 'ike' | 'esp';
}

interface Use {
  child: ChildSa;
  lastExchangeAt: number;
  firstOutAt: number | null;
  firstLeftAt: number | null;
  lastOutAt: number | null;
  firstInAt: number | null;
}

export class Score {
  readonly schedule: Schedule;
  readonly spis = new Map<number, SpiScore>();
  readonly waited: Waited[] = [];
  inbound = 0;
  /** Inbound packets that their device never got, and outbound ones that never left. */
  lost = 0;
  misdelivered = 0;
  readonly #clock: Clock;
  #gateway: GatewayUnderTest | null = null;
  readonly #pending = new Map<Packet, { at: number; overlap: boolean }>();
  readonly #ikeArrived = new Map<object, { at: number; overlap: boolean; passed: boolean }>();
  /** Devices whose messages of phase 2 have not passed yet, with when the latest came. */
  readonly #waitingIke = new Map<number, number>();
  /** Devices' exchanges of phase 2: when the latest message passed. */
  readonly #exchanges = new Map<number, number>();
  readonly #uses = new Map<ChildSa, Use>();
  /** Devices of which the gateway has seen anything. */
  readonly #seen = new Set<number>();
  readonly #firstPackets = new Map<EspPacket, SpiScore>();

  constructor(schedule: Schedule, clock: Clock) {
    this.schedule = schedule;
    this.#clock = clock;
  }

  watch(gateway: GatewayUnderTest): void {
    this.#gateway = gateway;
  }

  #use(child: ChildSa): Use {
    let use = this.#uses.get(child);
    if (use === undefined) {
      use = {
        child,
        lastExchangeAt: this.#exchanges.get(child.device) ?? -Infinity,
        firstOutAt: null,
        firstLeftAt: null,
        lastOutAt: null,
        firstInAt: null,
      };
      this.#uses.set(child, use);
    }
    return use;
  }

  /** Told of every SA when its first end may use it. */
  made(child: ChildSa): void {
    this.#use(child).lastExchangeAt = this.#clock.now;
  }

  arrived(packet: Packet): void {
    const { now } = this.#clock;
    if (packet.from === 'lan' && !(packet.kind === 'ike' && packet.unseen === 'all'))
      this.#seen.add(packet.client!);
    if (packet.kind === 'ike') {
      if (isPhaseTwo(packet)) {
        if (!this.#ikeArrived.has(packet.identity)) {
          this.#ikeArrived.set(packet.identity, {
            at: now,
            overlap: this.#isBusy(packet.client),
            passed: false,
          });
          this.#waitingIke.set(packet.client, now);
        }
      }
      return;
    }
    this.#pending.set(packet, { at: now, overlap: packet.client !== null && this.#isBusy(packet.client) });
    const use = this.#use(packet.truth.child);
    if (packet.from === 'lan') {
      use.firstOutAt ??= now;
      use.lastOutAt = now;
      return;
    }
    this.inbound += 1;
    const known = this.spis.get(packet.spi);
    if (known !== undefined) {
      known.latest = packet;
      return;
    }
    const spi: SpiScore = {
      firstAt: now,
      firstRight: false,
      firstStrayed: false,
      certain: false,
      certainAndWrong: false,
      firstDoneAt: null,
      latest: packet,
      wrongAt: null,
      rightAgainAt: null,
      rightInTime: null,
      firstHeldMs: null,
      undecidable: this.#isUndecidable(use),
      unknowable: Tunnel.isUnanswered(packet.truth.content),
    };
    use.firstInAt = now;
    this.spis.set(packet.spi, spi);
    this.#firstPackets.set(packet, spi);
    this.#clock.after(REPAIR_MS, () => this.#check(packet.spi, packet.truth.child, false));
  }

  /** Another device is in the middle of something new. */
  #isBusy(device: number): boolean {
    const { now } = this.#clock;
    // A message that has been left out is sent again within a few seconds.
    for (const [waits, most] of [
      [this.#exchanges, FRESH_MS],
      [this.#waitingIke, REPAIR_MS],
    ] as const) {
      for (const [other, at] of waits) if (other !== device && now - at < most) return true;
    }
    for (const use of this.#uses.values()) {
      if (use.child.device === device || use.firstInAt !== null) continue;
      // What waits for its turn is in the middle of it, however long it has waited.
      if (use.firstOutAt !== null && now - (use.firstLeftAt ?? now) < FRESH_MS) return true;
    }
    return false;
  }

  #isUndecidable(use: Use): boolean {
    const { now } = this.#clock;
    const told = (one: Use): boolean =>
      now - one.lastExchangeAt < FRESH_MS || (one.lastOutAt !== null && now - one.lastOutAt < FRESH_MS);
    const isUnseen = (one: Use): boolean =>
      this.schedule.devices[one.child.device]!.unseen !== 'no' && one.firstOutAt === null;
    if (told(use) && !isUnseen(use)) return false;
    // Of a device that has never been seen nothing can be known.
    if (!this.#seen.has(use.child.device)) return true;
    return [...this.#uses.values()].some(
      (one) =>
        one.child.device !== use.child.device &&
        one.firstInAt === null &&
        one.child.endedAt === null &&
        !isUnseen(one),
    );
  }

  #check(spi: number, child: ChildSa, isLast = true): void {
    const one = this.spis.get(spi)!;
    if (one.rightInTime !== null) return;
    const owner = this.#gateway!.ownerOf(spi);
    const { now } = this.#clock;
    // What has come this moment may be held for as long as every first packet may.
    if (!isLast && owner === null && now - (this.#pending.get(one.latest)?.at ?? -Infinity) < HELD_MS) {
      this.#clock.after(HELD_MS, () => this.#check(spi, child));
      return;
    }
    if (!this.#seen.has(child.device)) one.unknowable = true;
    // What is nobody's for now may reach it all the same, and others too.
    one.rightInTime = owner === null ? !this.#pending.has(one.latest) : owner === child.device;
  }

  ended(child: ChildSa): void {
    if (this.spis.has(child.spiIn)) this.#check(child.spiIn, child);
    this.#noteCertainty(child);
    const use = this.#uses.get(child);
    if (use && use.firstInAt === null) this.#uses.delete(child);
  }

  #noteCertainty({ spiIn, device }: ChildSa): void {
    const spi = this.spis.get(spiIn);
    if (spi === undefined || !this.#gateway!.isCertain(spiIn)) return;
    spi.certain = true;
    spi.certainAndWrong = this.#gateway!.ownerOf(spiIn) !== device;
  }

  passedToServer(packet: Packet): void {
    if (packet.kind === 'ike') this.#passedIke(packet);
    else {
      this.#use(packet.truth.child).firstLeftAt ??= this.#clock.now;
      this.#settle(packet, 'esp');
    }
  }

  passedToDevice(device: number, packet: Packet): void {
    const { now } = this.#clock;
    if (packet.kind === 'ike') return this.#passedIke(packet);
    const isRight = packet.truth.child.device === device;
    const spi = this.spis.get(packet.spi)!;
    const first = this.#firstPackets.get(packet);
    if (first) {
      first.firstDoneAt ??= now;
      first.firstHeldMs ??= now - first.firstAt;
      if (!isRight) first.firstStrayed = true;
      else if (first.firstDoneAt === now) first.firstRight = true;
    }
    if (isRight) {
      spi.rightAgainAt ??= spi.wrongAt === null ? null : now;
      this.#settle(packet, null);
    } else {
      this.misdelivered += 1;
      // When all that is done in this moment is done.
      this.#clock.after(0, () => {
        if (!this.#pending.has(packet)) return;
        spi.wrongAt ??= now;
        spi.rightAgainAt = null;
      });
    }
  }

  #passedIke(packet: IkePacket): void {
    if (!isPhaseTwo(packet)) return;
    const { now } = this.#clock;
    this.#exchanges.set(packet.client, now);
    const arrival = this.#ikeArrived.get(packet.identity);
    if (arrival === undefined || arrival.passed) return;
    arrival.passed = true;
    this.#waitingIke.delete(packet.client);
    this.waited.push({ ms: now - arrival.at, overlap: arrival.overlap, kind: 'ike' });
  }

  #settle(packet: EspPacket, kind: 'esp' | null): void {
    const pending = this.#pending.get(packet);
    if (pending === undefined) return;
    this.#pending.delete(packet);
    if (kind !== null && packet.sequence === 1) {
      this.waited.push({ ms: this.#clock.now - pending.at, overlap: pending.overlap, kind });
    }
  }

  finish(): void {
    // What came in the last second may still wait.
    const late = this.#clock.now - 1000;
    for (const child of this.#uses.keys()) if (child.endedAt === null) this.#noteCertainty(child);
    for (const { at } of this.#pending.values()) if (at < late) this.lost += 1;
  }
}

function isPhaseTwo(packet: IkePacket): boolean {
  return packet.exchangeType === 32 || packet.exchangeType === 35 || packet.exchangeType === 36;
}
