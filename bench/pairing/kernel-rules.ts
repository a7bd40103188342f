// The first baseline: what the ruleset does by itself, by order of arrival, rule for rule as in
// src/core/policy/esp.ts; and the second: the same behind gates that the kernel keeps alone, which let
// one device at a time run a phase-2 exchange, for two seconds each. One server, so it has no key here.
import type { EspPacket, GatewayUnderTest, IkePacket, Outside, Packet } from './packet.ts';

const SLOTS = 10;
const EVIDENCE_MS = 10_000;
const EARLY_MS = 60_000;
const GATE_MS = 2000;

interface Element {
  readonly device: number;
  readonly until: number;
}

export class KernelRules implements GatewayUnderTest {
  readonly #outside: Outside;
  readonly #gates: boolean;
  readonly #in = new Map<number, number>();
  readonly #out = new Set<number>();
  /** Slot 0 is the newest, the highest one the oldest. */
  readonly #waiting: (Element | null)[] = Array.from({ length: SLOTS + 1 }, () => null);
  readonly #peers = new Set<number>();
  readonly #early = new Map<number, number>();
  #sole: number | null = null;
  #shared = false;
  #recent: Element | null = null;
  #busyUntil = 0;
  readonly #holders = new Map<number, number>();

  constructor(outside: Outside, gates: boolean) {
    this.#outside = outside;
    this.#gates = gates;
  }

  fromLan(packet: Packet): void {
    if (packet.kind === 'ike') {
      if (packet.unseen === 'no' && isPhaseTwo(packet) && !this.#phaseTwo(packet.client)) return;
    } else if (!this.#out.has(packet.spi)) this.#newOutbound(packet);
    this.#outside.toServer(packet);
  }

  fromWan(packet: Packet): void {
    if (packet.kind === 'ike') return this.#outside.toDevice(packet.client, packet);
    const device = this.#in.get(packet.spi) ?? this.#learn(packet);
    if (device !== null) this.#outside.toDevice(device, packet);
  }

  ownerOf(spi: number): number | null {
    return this.#in.get(spi) ?? (this.#shared ? null : this.#sole);
  }

  isCertain(): boolean {
    return false;
  }

  /** Whether it passes the gate. */
  #phaseTwo(device: number): boolean {
    const now = this.#outside.now();
    this.#recent = { device, until: now + EVIDENCE_MS };
    if (!this.#gates || (this.#holders.get(device) ?? 0) > now) return true;
    if (this.#busyUntil > now) return false;
    this.#busyUntil = now + GATE_MS;
    this.#holders.set(device, now + GATE_MS);
    return true;
  }

  #newOutbound({ client, spi }: EspPacket): void {
    const now = this.#outside.now();
    const device = client!;
    if (this.#peers.has(device)) this.#sole = device;
    else {
      if (this.#peers.size > 0) this.#shared = true;
      else this.#sole = device;
      this.#peers.add(device);
    }
    if ((this.#early.get(device) ?? 0) > now) {
      this.#early.delete(device);
      this.#out.add(spi);
      return;
    }
    if (this.#slot(SLOTS) !== null) return;
    this.#out.add(spi);
    for (let slot = SLOTS; slot > 0; slot -= 1) {
      const moved = slot === 1 ? { device } : this.#slot(slot - 1);
      if (moved) {
        this.#waiting[slot] = { device: moved.device, until: now + EVIDENCE_MS };
        this.#waiting[slot - 1] = null;
      }
    }
  }

  #slot(slot: number): Element | null {
    const element = this.#waiting[slot] ?? null;
    return element !== null && element.until > this.#outside.now() ? element : null;
  }

  #learn({ spi }: EspPacket): number | null {
    const now = this.#outside.now();
    for (let slot = SLOTS; slot > 0; slot -= 1) {
      const first = this.#slot(slot);
      if (first === null) continue;
      this.#waiting[slot] = null;
      this.#in.set(spi, first.device);
      return first.device;
    }
    if (this.#recent !== null && this.#recent.until > now) {
      const { device } = this.#recent;
      this.#recent = null;
      this.#in.set(spi, device);
      this.#early.set(device, now + EARLY_MS);
      return device;
    }
    return this.#shared ? null : this.#sole;
  }
}

function isPhaseTwo({ exchangeType }: IkePacket): boolean {
  return exchangeType === 32 || exchangeType === 35 || exchangeType === 36;
}
