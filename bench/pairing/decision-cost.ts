// How long the pairing machine thinks about a fact while 10,000 SAs live: at one server with 2,500 devices,
// and at 250 servers with 40 SAs each. Measured, not asserted: it depends on the machine it runs on.
import type { Ipv4Address } from '../../src/core/address.ts';
import { EspPairing } from '../../src/core/alg/esp-pairing.ts';
import type { Fact } from '../../src/core/alg/fact.ts';
import { parseFact } from '../../src/core/alg/transcript.ts';
import type { Spi } from '../../src/core/wire/esp.ts';

const LIVE = 10_000;
const ROUNDS = 20_000;

export interface DecisionCost {
  readonly what: string;
  readonly live: number;
  readonly facts: number;
  readonly medianMicroseconds: number;
  readonly p99Microseconds: number;
  readonly meanMicroseconds: number;
}

export function measureDecisions(): DecisionCost[] {
  return [measure('one server, 2,500 devices', 1, 2500), measure('250 servers, 10 devices each', 250, 10)];
}

function measure(what: string, servers: number, devices: number): DecisionCost {
  const machine = new EspPairing();
  let now = 0;
  const server = (index: number): Ipv4Address => `203.0.${index >> 8}.${index & 255}` as Ipv4Address;
  const device = (index: number): Ipv4Address => `10.1.${index >> 8}.${index & 255}` as Ipv4Address;
  for (let live = 0; live < LIVE; live += 1) {
    const [far, near] = [server(live % servers), device(Math.floor(live / servers) % devices)];
    machine.handle({ kind: 'esp-learned', client: near, server: far, spi: (live + 1) as Spi }, now);
  }
  const took: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    now += 200;
    for (const fact of rekey(server(round % servers), device(round % devices), round)) {
      now += 20;
      const due = machine.nextWake();
      const begun = performance.now();
      if (due !== null && due <= now) machine.wake(now);
      machine.handle(fact, now);
      took.push((performance.now() - begun) * 1000);
    }
  }
  const sorted = Float64Array.from(took).toSorted();
  return {
    what,
    live: LIVE,
    facts: took.length,
    medianMicroseconds: sorted[sorted.length >> 1]!,
    p99Microseconds: sorted[Math.floor(sorted.length * 0.99)]!,
    meanMicroseconds: sorted.reduce((sum, one) => sum + one, 0) / sorted.length,
  };
}

/** A device rekeys, sends, is answered; the packets on trial that prove it; and the old SPI is forgotten. */
function rekey(far: Ipv4Address, near: Ipv4Address, round: number): Fact[] {
  const ike = (from: string, flag: string): Fact =>
    parseFact(
      `ike from=${from} client=${near} server=${far} port=500 message=v2.0,createChildSa,id:${round.toString(16)},spis:${(round % 97) + 1}-2,flags:${flag},next:46,length:300`,
    );
  const [spiOut, spiIn] = [0x4000_0000 + round, 0x8000_0000 + round] as [Spi, Spi];
  const packet = (spi: Spi, sequence: number): { spi: Spi; sequence: number; rest: Uint8Array } => ({
    spi,
    sequence,
    rest: new Uint8Array(0),
  });
  const facts: Fact[] = [
    ike('lan', 'initiator'),
    ike('wan', 'response'),
    { kind: 'esp-sent', client: near, server: far, packet: packet(spiOut, 1), held: null },
    { kind: 'esp-arrived', server: far, packet: packet(spiIn, 1), held: round + 1 },
  ];
  for (const sequence of [2, 3]) {
    facts.push(
      { kind: 'esp-sent', client: near, server: far, packet: packet(spiOut, sequence), held: null },
      { kind: 'esp-passed', client: near, server: far, packet: packet(spiIn, sequence) },
    );
  }
  return facts;
}
