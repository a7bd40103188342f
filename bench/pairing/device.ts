// One device and its server, as they speak IKE: the IKE SA with its rounds, a tunnel or two, rekeying
// by either side, the renewal of the IKE SA, dead-peer checks. RFC 7296 1.3 and 2.8, RFC 2409 5.
import type { ChildSa } from './child-sa.ts';
import { runExchange, type End, type IkeLine } from './ike-exchange.ts';
import type { Random } from './random.ts';
import type { DevicePlan, Implementation } from './schedule.ts';
import { Tunnel, type TunnelLine } from './tunnel.ts';

const types = {
  mainMode: 2,
  informationalV1: 5,
  quickMode: 32,
  ikeSaInit: 34,
  ikeAuth: 35,
  createChildSa: 36,
  informational: 37,
} as const;

export interface DeviceLine extends IkeLine, TunnelLine {
  newChild(spiOut: number, spiIn: number): ChildSa;
  /** An end may use it from now on. */
  made(child: ChildSa): void;
  endChild(child: ChildSa): void;
}

export class Device {
  readonly plan: DevicePlan;
  readonly #line: DeviceLine;
  readonly #random: Random;
  readonly #serverImplementation: Implementation;
  readonly #tunnels: Tunnel[];
  #initiatorSpi = 0n;
  #responderSpi = 0n;
  #saBy: End = 'device';
  readonly #messageIds = { device: 0, server: 0 };

  constructor(plan: DevicePlan, line: DeviceLine, server: Implementation) {
    this.plan = plan;
    this.#line = line;
    this.#random = line.random;
    this.#serverImplementation = server;
    this.#tunnels = plan.tunnels.map((tunnel) => new Tunnel(tunnel, line));
    line.after(plan.startAt, () => this.#connect());
  }

  #drawSpi64(): bigint {
    return (
      (BigInt(this.#random.integer(1, 0xffff_ffff)) << 32n) | BigInt(this.#random.integer(0, 0xffff_ffff))
    );
  }

  #exchange(
    exchangeType: number,
    by: End,
    lengths: readonly [number, number],
    on: { asked?: () => void; answered: () => void; confirmed?: () => void },
  ): void {
    let messageId = 0;
    if (this.plan.version === 1) {
      if (exchangeType !== types.mainMode) messageId = this.#random.integer(1, 0xffff_ffff);
    } else if (exchangeType !== types.ikeSaInit) {
      this.#messageIds[by] += 1;
      messageId = this.#messageIds[by];
    }
    runExchange(this.#line, {
      version: this.plan.version,
      exchangeType,
      initiatorSpi: this.#initiatorSpi,
      responderSpi: this.#responderSpi,
      messageId,
      by,
      saBy: this.#saBy,
      lengths,
      ...(on.asked && { onAsked: on.asked }),
      onAnswered: on.answered,
      ...(on.confirmed && { onConfirmed: on.confirmed }),
    });
  }

  /** Phase 1, then the first tunnel, then the others. */
  #connect(): void {
    const [first, ...others] = this.#tunnels;
    const then = (): void => {
      for (const tunnel of others) {
        this.#line.after(this.#random.wait(200), () => this.#makeChild(tunnel, 'device'));
      }
      const { ikeRekey } = this.plan;
      if (ikeRekey) this.#line.after(ikeRekey.at, () => this.#rekeyIke(ikeRekey.by));
      this.#line.after(10_000 + this.#random.between(0, 10_000), () => this.#checkPeer());
    };
    this.#phaseOne('device', () => {
      if (this.plan.version === 1) {
        this.#makeChild(first!, 'device');
        then();
      } else {
        this.#authenticate(first!, this.plan.authRounds, then);
      }
    });
  }

  #phaseOne(by: End, then: () => void): void {
    this.#initiatorSpi = this.#drawSpi64();
    this.#responderSpi = 0n;
    this.#saBy = by;
    this.#messageIds.device = 0;
    this.#messageIds.server = 0;
    const chosen = this.#drawSpi64();
    if (this.plan.version === 2) {
      this.#exchange(types.ikeSaInit, by, [400, 400], {
        answered: () => {
          this.#responderSpi = chosen;
          then();
        },
      });
      return;
    }
    const round = (left: number): void => {
      this.#exchange(types.mainMode, by, [180, 180], {
        answered: () => {
          this.#responderSpi = chosen;
          if (left > 1) round(left - 1);
          else this.#line.after(this.#random.wait(5), then);
        },
      });
    };
    round(3);
  }

  #authenticate(tunnel: Tunnel, rounds: number, then: () => void): void {
    if (rounds > 1) {
      this.#exchange(types.ikeAuth, 'device', [300, 160], {
        answered: () =>
          this.#line.after(this.#random.wait(20), () => this.#authenticate(tunnel, rounds - 1, then)),
      });
      return;
    }
    const child = this.#drawChild();
    this.#exchange(types.ikeAuth, 'device', [360, 240], {
      asked: () => this.#serverReady(tunnel, child),
      answered: () => {
        this.#deviceReady(tunnel, child);
        then();
        this.#planRekey(tunnel);
      },
    });
  }

  /** A new SA pair for a tunnel, in the place of the one it has. */
  #makeChild(tunnel: Tunnel, by: End): void {
    const old = tunnel.children.filter(({ endedAt }) => endedAt === null);
    const child = this.#drawChild();
    const ready = (end: End): void =>
      end === 'device' ? this.#deviceReady(tunnel, child) : this.#serverReady(tunnel, child);
    const otherEnd = by === 'device' ? 'server' : 'device';
    const done = (): void => {
      this.#planRekey(tunnel);
      for (const one of old) this.#deleteChild(one, by);
    };
    if (this.plan.version === 2) {
      this.#exchange(
        types.createChildSa,
        by,
        [this.#random.integer(200, 480), this.#random.integer(180, 460)],
        {
          asked: () => ready(otherEnd),
          answered: () => {
            ready(by);
            done();
          },
        },
      );
    } else {
      this.#exchange(types.quickMode, by, [this.#random.integer(150, 380), this.#random.integer(150, 380)], {
        answered: () => {
          ready(by);
          done();
        },
        confirmed: () => ready(otherEnd),
      });
    }
  }

  #deleteChild(child: ChildSa, by: End): void {
    if (this.plan.version === 1) {
      // Left to its lifetime by most, with a Delete that nobody answers.
      this.#line.after(this.#random.between(2000, 12_000), () => this.#line.endChild(child));
      return;
    }
    this.#line.after(this.#random.wait(60), () =>
      this.#exchange(types.informational, by, [80, 80], {
        asked: () => this.#line.endChild(child),
        answered: () => undefined,
      }),
    );
  }

  #planRekey(tunnel: Tunnel): void {
    const { lifetime, rekeyBy } = tunnel.plan;
    this.#line.after(lifetime, () => {
      if (!this.#line.isQuiet()) this.#makeChild(tunnel, rekeyBy);
    });
  }

  #rekeyIke(by: End): void {
    if (this.#line.isQuiet()) return;
    if (this.plan.version === 1) {
      this.#phaseOne(by, () => undefined);
      return;
    }
    this.#exchange(
      types.createChildSa,
      by,
      [this.#random.integer(260, 500), this.#random.integer(260, 500)],
      {
        answered: () => {
          const old = {
            initiatorSpi: this.#initiatorSpi,
            responderSpi: this.#responderSpi,
            saBy: this.#saBy,
          };
          const [messageId, seen] = [this.#messageIds[by] + 1, this.#line];
          this.#initiatorSpi = this.#drawSpi64();
          this.#responderSpi = this.#drawSpi64();
          this.#saBy = by;
          this.#messageIds.device = -1;
          this.#messageIds.server = -1;
          runExchange(seen, {
            version: 2,
            exchangeType: types.informational,
            ...old,
            messageId,
            by,
            lengths: [76, 76],
            onAnswered: () => undefined,
          });
        },
      },
    );
  }

  #checkPeer(): void {
    const type = this.plan.version === 1 ? types.informationalV1 : types.informational;
    this.#exchange(type, 'device', [76, 76], { answered: () => undefined });
    this.#line.after(30_000, () => this.#checkPeer());
  }

  #drawChild(): ChildSa {
    return this.#line.newChild(
      drawSpi(this.#serverImplementation, this.#random),
      drawSpi(this.plan.implementation, this.#random),
    );
  }

  #deviceReady(tunnel: Tunnel, child: ChildSa): void {
    child.deviceReady = true;
    this.#add(tunnel, child);
  }

  #serverReady(tunnel: Tunnel, child: ChildSa): void {
    child.serverReady = true;
    this.#add(tunnel, child);
  }

  #add(tunnel: Tunnel, child: ChildSa): void {
    this.#line.made(child);
    if (!tunnel.children.includes(child)) tunnel.children.push(child);
    tunnel.changed();
  }
}

/** From where each implementation takes its SPIs: charon 0xc…, KAME below 0x10000000, others anywhere. */
function drawSpi(implementation: Implementation, random: Random): number {
  switch (implementation) {
    case 'strongswan':
      return random.integer(0xc000_0000, 0xcfff_ffff);
    case 'racoon':
      return random.integer(0x100, 0x0fff_ffff);
    default:
      return random.integer(0x1000, 0xffff_ffff);
  }
}
