// Performs what the pairing machine wants: elements of the kernel's sets and maps, and packets that
// were held sent on. One after the other, in the order they were asked for, so that a packet is never
// sent before its pair stands. Decides nothing.
import { ipv4Bytes, type Ipv4Address } from '../core/address.ts';
import { cookieKey, holderKey, inboundKey, outboundKey } from '../core/alg/esp-element.ts';
import type { PairingEffect } from '../core/alg/fact.ts';
import { ESP_WAITING } from '../core/policy/esp.ts';
import { COOKIE_SECONDS } from '../core/policy/ike.ts';
import { TURN_MS } from '../core/policy/turns.ts';
import { WireError } from '../core/wire/bytes.ts';
import { forwardIpv4, type Forwarding } from '../core/wire/forwarded.ts';
import { parseIpv4Packet } from '../core/wire/ipv4.ts';
import { parseIsakmpHeader } from '../core/wire/isakmp.ts';
import { parseUdp } from '../core/wire/udp.ts';
import type { PacketSender } from '../linux/packet-sender.ts';
import { LinuxError } from '../linux/libc.ts';
import type { TableReader } from '../linux/nft-table.ts';
import { ElementWriter, type ElementWish } from './element-writer.ts';
import type { HeldPacket, HeldPackets } from './held-packets.ts';

/** A pair that is never proved shall not live as long as one that is. */
const TRIAL_MS = 120_000;

export interface PairingEffectsOptions {
  readonly table: TableReader;
  readonly held: HeldPackets;
  /** Through conntrack: what it sends is translated as a device's own packet is. */
  readonly tracked: PacketSender;
  readonly untracked: PacketSender;
  /** How long a pair lives without a packet. */
  readonly espIdleMs: () => number;
  readonly wanAddress: () => Ipv4Address | null;
  /** IKE keeps its source port, and passes without conntrack. */
  readonly isIkePreserved: () => boolean;
  /** The LAN's end of an inbound packet that still has the WAN address. */
  readonly locate: (packet: Uint8Array) => { readonly client: Ipv4Address; readonly port: number } | null;
  /** The kernel refused it; null when it takes everything again. */
  readonly onTrouble: (sentence: string | null) => void;
}

export class PairingEffects {
  readonly counts = { paired: 0, unpaired: 0, delivered: 0, released: 0, lost: 0 };
  readonly #options: PairingEffectsOptions;
  readonly #writer: ElementWriter;
  #queue: Promise<void> = Promise.resolve();

  constructor(options: PairingEffectsOptions) {
    this.#options = options;
    this.#writer = new ElementWriter(options.table);
  }

  /** Resolves when all that was asked for until now is done. */
  perform(effects: readonly PairingEffect[]): Promise<void> {
    if (effects.length === 0) return this.#queue;
    this.#queue = this.#queue.then(async () => {
      for (const effect of effects) await this.#tryOne(effect);
    });
    return this.#queue;
  }

  async #tryOne(effect: PairingEffect): Promise<void> {
    try {
      await this.#perform(effect);
      if (effect.kind === 'pair') this.#options.onTrouble(null);
    } catch (error) {
      // A held packet that makes no sense is not sent on.
      if (error instanceof WireError) return;
      if (!(error instanceof LinuxError)) throw error;
      const full =
        error.errno === 'ENFILE' ? 'The table of ESP pairs is full, so' : 'The kernel refused a change, so';
      this.#options.onTrouble(`${full} a new IPsec connection gets no answer: ${error.message}`);
    }
  }

  async #perform(effect: PairingEffect): Promise<void> {
    switch (effect.kind) {
      case 'pair': {
        const key = inboundKey(effect.server, effect.spi);
        const data = ipv4Bytes(effect.client);
        const element = (timeoutMs: number) => ({ key, data, timeoutMs });
        await this.#writer.write([
          { set: 'esp_in', key, element: effect.trial ? null : element(this.#options.espIdleMs()) },
          { set: 'esp_trial', key, element: effect.trial ? element(TRIAL_MS) : null },
        ]);
        await this.#endWaiting(effect.server);
        this.counts.paired += 1;
        break;
      }
      case 'unpair': {
        const key = inboundKey(effect.server, effect.spi);
        await this.#writer.write([
          { set: 'esp_in', key, element: null },
          { set: 'esp_trial', key, element: null },
        ]);
        this.counts.unpaired += 1;
        break;
      }
      case 'outbound': {
        const key = outboundKey(effect.client, effect.server, effect.spi);
        const element = { key, data: null, timeoutMs: this.#options.espIdleMs() };
        await this.#writer.write([
          { set: 'esp_out', key, element: effect.as === 'known' ? element : null },
          { set: 'esp_watched', key, element: effect.as === 'watched' ? element : null },
        ]);
        break;
      }
      case 'turn':
        await this.#turn(effect.server, effect.client);
        break;
      case 'deliver':
        this.#send(effect.held, { destination: effect.client });
        break;
      case 'mend': {
        const key = inboundKey(effect.server, effect.spi);
        for (const set of ['esp_in', 'esp_trial']) if (await this.#options.table.hasElement(set, key)) return;
        const element = { key, data: ipv4Bytes(effect.client), timeoutMs: this.#options.espIdleMs() };
        await this.#writer.write([{ set: 'esp_in', key, element }]);
        break;
      }
      case 'release':
        await this.#learnCookie(effect.held);
        this.#send(effect.held, {});
        this.#options.held.drop(effect.held);
        break;
      case 'drop-held':
        this.#options.held.drop(effect.held);
        break;
      case 'flood':
      case 'collision':
        // Nothing to be done about it in the kernel: it is told.
        break;
    }
  }

  /**
   * Whoever the kernel has put in the line of a server before it had several devices is served here now. Left
   * there it would get the answer of the next one, should this daemon die.
   */
  async #endWaiting(server: Ipv4Address): Promise<void> {
    const { table } = this.#options;
    const key = ipv4Bytes(server);
    if (!(await table.hasElement('esp_shared', key))) return;
    for (const set of ESP_WAITING) if (await table.hasElement(set, key)) await table.remove(set, key);
  }

  /** Where IKE keeps its port, the kernel learns a cookie from what it forwards, which this is not (core/policy/ike.ts). */
  async #learnCookie(held: number): Promise<void> {
    const packet = this.#options.held.get(held);
    if (packet?.kind !== 'ike-held-lan' || !this.#options.isIkePreserved()) return;
    const { source, destination, payload } = parseIpv4Packet(packet.bytes);
    const key = cookieKey(destination, parseIsakmpHeader(parseUdp(payload).payload).initiatorSpi);
    const element = { key, data: ipv4Bytes(source), timeoutMs: COOKIE_SECONDS * 1000 };
    await this.#writer.write([{ set: 'ike_cookies', key, element }]);
  }

  /**
   * Nobody's turn is written as one without a holder, which lapses by itself: until then whoever begins
   * is held and asks here. To delete it could take away the turn that the kernel gives at this moment.
   */
  async #turn(server: Ipv4Address, client: Ipv4Address | null): Promise<void> {
    const taken = ipv4Bytes(server);
    const wishes: ElementWish[] = [];
    const wish = (set: string, key: Uint8Array, isWanted: boolean): void => {
      wishes.push({ set, key, element: isWanted ? { key, data: null, timeoutMs: TURN_MS } : null });
    };
    // Whoever had the turn before has it no more.
    for (const set of ['turn_holder', 'turn_ike']) {
      await this.#options.table.listElements(set, ({ key }) => {
        const holds = client !== null && equal(key, holderKey(server, client));
        if (equal(key.subarray(0, 4), taken) && !holds) wish(set, key.slice(), false);
      });
    }
    if (client !== null) {
      wish('turn_taken', taken, true);
      wish('turn_holder', holderKey(server, client), true);
    }
    await this.#writer.write(wishes);
  }

  #send(number: number, change: Forwarding): void {
    const packet = this.#options.held.get(number);
    if (packet === null) return;
    const { counts } = this;
    const goesIn = packet.kind === 'esp-held' || packet.kind === 'ike-held-wan';
    let isSent = false;
    try {
      isSent = this.#sendOn(packet, change);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
    }
    if (!isSent) counts.lost += 1;
    else if (goesIn) counts.delivered += 1;
    else counts.released += 1;
  }

  #sendOn({ kind, bytes }: HeldPacket, change: Forwarding): boolean {
    const { tracked, untracked, wanAddress, isIkePreserved, locate } = this.#options;
    switch (kind) {
      case 'ike-held-lan': {
        const source = wanAddress();
        if (!isIkePreserved()) return tracked.send(forwardIpv4(bytes, change));
        return source !== null && untracked.send(forwardIpv4(bytes, { source }));
      }
      case 'ike-held-wan': {
        // With its own port it has been translated before it was held.
        if (parseIpv4Packet(bytes).destination !== wanAddress())
          return untracked.send(forwardIpv4(bytes, {}));
        const end = locate(bytes);
        if (end === null) return false;
        return untracked.send(forwardIpv4(bytes, { destination: end.client, destinationPort: end.port }));
      }
      case 'esp-held-out': {
        const source = wanAddress();
        return source !== null && untracked.send(forwardIpv4(bytes, { source }));
      }
      default:
        return untracked.send(forwardIpv4(bytes, change));
    }
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
