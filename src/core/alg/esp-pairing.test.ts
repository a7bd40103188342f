import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ipsecFact } from '../../../test/arbitrary-facts.ts';
import { goldenTranscripts } from '../../../test/golden/transcripts.ts';
import type { Ipv4Address } from '../address.ts';
import type { Spi } from '../wire/esp.ts';
import { EspPairing } from './esp-pairing.ts';
import type { Fact, PairingEffect } from './fact.ts';
import { parseFact, parseTranscript } from './transcript.ts';

describe('conversations', () => {
  it.each(goldenTranscripts())('$name', ({ expected, text }) => {
    expect(text).toBe(expected);
  });
});

/** What the daemon and the kernel know of the machine's wishes, and what must be true of them. */
class Ledger {
  readonly spoke = new Set<string>();
  readonly waiting = new Set<number>();
  #held = 0;

  /** Held packets have numbers of their own. */
  hear(fact: Fact): Fact {
    if ('client' in fact && fact.client !== null) this.spoke.add(`${fact.server} ${fact.client}`);
    if (!('held' in fact) || fact.held === null) return fact;
    this.#held += 1;
    this.waiting.add(this.#held);
    return { ...fact, held: this.#held };
  }

  check(effects: readonly PairingEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'pair') expect(this.spoke).toContain(`${effect.server} ${effect.client}`);
      if ('held' in effect) expect(this.waiting, JSON.stringify(effect)).toContain(effect.held);
      if (effect.kind === 'release' || effect.kind === 'drop-held') this.waiting.delete(effect.held);
    }
  }
}

function wakeUntil(machine: EspPairing, ledger: Ledger, end: number): void {
  for (let at = machine.nextWake(); at !== null && at <= end; at = machine.nextWake())
    ledger.check(machine.wake(at));
}

describe('four vpnc at one strongSwan, as the daemon heard them', () => {
  const text = readFileSync(
    new URL('../../../test/corpus/transcripts/four-vpnc.txt', import.meta.url),
    'utf8',
  );
  // By what came within 1.5 ms of each packet sent; the file tells how that is known.
  const truth = new Map([
    [0x80b7_9db6, '192.168.1.11'],
    [0xc6dc_fa29, '192.168.1.12'],
    [0x294c_d99e, '192.168.1.13'],
    [0x0e39_6ae8, '192.168.1.14'],
  ]);
  const machine = new EspPairing();
  const pairs: Extract<PairingEffect, { kind: 'pair' }>[] = [];
  const note = (effects: readonly PairingEffect[]): void => {
    for (const effect of effects) if (effect.kind === 'pair') pairs.push(effect);
  };
  for (const { mark, at, rest } of parseTranscript(text)) {
    if (mark === '<<') continue;
    for (let due = machine.nextWake(); due !== null && due <= at; due = machine.nextWake()) {
      note(machine.wake(due));
    }
    note(machine.handle(parseFact(rest), at));
  }

  it('has each SPI with its device in the end', () => {
    expect(new Map(pairs.map(({ spi, client }) => [spi as number, client as string]))).toEqual(truth);
  });

  it('calls no wrong pair certain', () => {
    for (const { spi, client, confidence } of pairs) {
      if (confidence === 'certain') expect(client).toBe(truth.get(spi));
    }
  });
});

describe('any facts in any order', () => {
  it('pair only with devices that spoke to the server, and every held packet is sent or dropped', () => {
    const steps = fc.array(fc.tuple(ipsecFact, fc.integer({ min: 0, max: 3000 })), { maxLength: 80 });
    fc.assert(
      fc.property(steps, (all) => {
        const machine = new EspPairing();
        const ledger = new Ledger();
        let now = 1000;
        for (const [fact, pause] of all) {
          now += pause;
          wakeUntil(machine, ledger, now);
          ledger.check(machine.handle(ledger.hear(fact), now));
        }
        wakeUntil(machine, ledger, now + 200_000);
        expect([...ledger.waiting]).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a server that gets a second device', () => {
  it('has the packets of the first one copied again until its SPI is known', () => {
    const machine = new EspPairing();
    const line = (client: number): string =>
      `ike from=lan client=192.168.1.${client} server=203.0.113.5 port=500 message=v1.0,quickMode,id:${client},spis:${client}-2,flags:encryption,next:8,length:300`;
    machine.handle(parseFact(line(11)), 0);
    machine.handle(parseFact('esp-sent client=192.168.1.11 server=203.0.113.5 packet=0xc0000001#1+36'), 100);
    expect(machine.handle(parseFact(line(12)), 200)).toContainEqual(
      expect.objectContaining({ kind: 'outbound', client: '192.168.1.11', as: 'watched' }),
    );
  });
});

describe('a flood', () => {
  const server = '203.0.113.5' as Ipv4Address;

  const arrival = (spi: number, held: number): Fact => ({
    kind: 'esp-arrived',
    server,
    packet: { spi: spi as Spi, sequence: 1, rest: new Uint8Array(0) },
    held,
  });

  it('of made-up SPIs is told once, holds little, and the device that expects its SPI gets it', () => {
    const machine = new EspPairing();
    const ledger = new Ledger();
    const floods: PairingEffect[] = [];
    const pairs: PairingEffect[] = [];
    let most = 0;
    const hear = (fact: Fact, now: number): void => {
      const effects = machine.handle(ledger.hear(fact), now);
      ledger.check(effects);
      floods.push(...effects.filter(({ kind }) => kind === 'flood'));
      pairs.push(...effects.filter(({ kind }) => kind === 'pair'));
      most = Math.max(most, ledger.waiting.size);
    };
    for (const last of [11, 12]) {
      hear(parseFact(`esp-learned client=192.168.1.${last} server=${server} spi=0x0000000${last - 10}`), 0);
    }
    for (let count = 0; count < 20_000; count += 1) {
      const now = 1000 + count / 10;
      wakeUntil(machine, ledger, now);
      hear(arrival(0x1000_0000 + count * 7919, count), now);
      if (count === 5000) {
        hear(ikeAuth('lan', false), now);
        hear(ikeAuth('wan', true), now);
      }
      if (count > 6000 && count < 6010) {
        hear(
          parseFact(`esp-sent client=192.168.1.11 server=${server} packet=0xc0000009#${count - 6000}+0`),
          now,
        );
        hear(arrival(0x0a0a_0a0a, count), now);
      }
    }
    wakeUntil(machine, ledger, 10_000);
    expect(floods).toHaveLength(1);
    expect(most).toBeLessThan(100);
    expect(pairs.length).toBeLessThan(20);
    expect(pairs).toContainEqual(expect.objectContaining({ spi: 0x0a0a_0a0a, client: '192.168.1.11' }));
  });

  function ikeAuth(from: 'lan' | 'wan', response: boolean): Fact {
    const line = `ike from=${from} client=192.168.1.11 server=${server} port=500 message=v2.0,ikeAuth,id:1,spis:1-2,flags:${
      response ? 'response' : 'initiator'
    },next:46,length:300`;
    return parseFact(line);
  }

  it('from servers that no device has spoken to leaves nothing', () => {
    const machine = new EspPairing();
    for (let count = 0; count < 1000; count += 1) {
      const effects = machine.handle(arrival(count + 1, count), count);
      expect(effects).toEqual([{ kind: 'drop-held', held: count }]);
    }
    expect(machine.nextWake()).toBeNull();
  });
});

describe('IKE of NAT-T and of IPv6', () => {
  it.each([
    `ike from=lan client=192.168.1.11 server=203.0.113.5 port=4500 message=v2.0,ikeAuth,id:1,spis:1-2,next:46,length:300 held=4`,
    `ike from=lan client=fd00::1 server=2001:db8::5 port=500 message=v2.0,ikeAuth,id:1,spis:1-2,next:46,length:300 held=4`,
  ])('is let go', (line) => {
    const machine = new EspPairing();
    expect(machine.handle(parseFact(line), 0)).toEqual([{ kind: 'release', held: 4 }]);
    expect(machine.nextWake()).toBeNull();
  });
});
