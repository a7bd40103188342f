// The world around the gateway under test: the LAN, the network to the one server, and the two ends of
// every device's tunnels. It alone knows the truth, and tells the score what became of each packet.
import type { ChildSa } from './child-sa.ts';
import { Clock } from './clock.ts';
import { Device } from './device.ts';
import type { End, IkeLine } from './ike-exchange.ts';
import type { EspPacket, GatewayUnderTest, Outside, Packet } from './packet.ts';
import { Random } from './random.ts';
import type { Network, Schedule } from './schedule.ts';
import { Score } from './score.ts';
import { Tunnel } from './tunnel.ts';

/** One direction of the network: delay, jitter, loss; what does not overtake queues behind the last. */
class Link {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #network: Network;
  #last = 0;

  constructor(clock: Clock, random: Random, network: Network) {
    this.#clock = clock;
    this.#random = random;
    this.#network = network;
  }

  send(arrive: () => void): void {
    const { delay, jitter, loss, overtaking } = this.#network;
    if (this.#random.isSo(loss)) return;
    let at = this.#clock.now + delay + this.#random.between(0, jitter);
    if (!this.#random.isSo(overtaking)) {
      at = Math.max(at, this.#last);
      this.#last = at;
    }
    this.#clock.after(at - this.#clock.now, arrive);
  }
}

/** Plays a schedule through one gateway, and returns what came of it. */
export function playSchedule(
  schedule: Schedule,
  seed: number,
  build: (outside: Outside, random: Random) => GatewayUnderTest,
): Score {
  const clock = new Clock();
  const random = new Random(seed);
  const [up, down] = [
    new Link(clock, random.fork(), schedule.network),
    new Link(clock, random.fork(), schedule.network),
  ];
  const score = new Score(schedule, clock);
  const lanDelay = (device: number): number => schedule.devices[device]!.lanDelay * random.between(0.7, 1.5);

  const gateway = build(
    {
      now: () => clock.now,
      after: (milliseconds, act) => clock.after(milliseconds, act),
      toServer: (packet) => {
        score.passedToServer(packet);
        up.send(() => receiveAtServer(packet));
      },
      toDevice: (device, packet) => {
        score.passedToDevice(device, packet);
        clock.after(lanDelay(device), () => receiveAtDevice(device, packet));
      },
    },
    random.fork(),
  );
  score.watch(gateway);

  const enterFromLan = (packet: Packet): void => {
    score.arrived(packet);
    gateway.fromLan(packet);
  };
  const enterFromWan = (packet: Packet): void => {
    score.arrived(packet);
    gateway.fromWan(packet);
  };
  const send = (from: End, device: number, packet: Packet): void => {
    if (from === 'device') clock.after(lanDelay(device), () => enterFromLan(packet));
    else down.send(() => enterFromWan(packet));
  };
  const receiveAtServer = (packet: Packet): void => {
    if (packet.kind === 'ike') packet.truth.receive();
    else if (packet.truth.child.endedAt === null) Tunnel.heard('server', packet.truth.content);
  };
  const receiveAtDevice = (device: number, packet: Packet): void => {
    if (packet.kind === 'ike') {
      if (packet.client === device) packet.truth.receive();
    } else if (packet.truth.child.device === device && packet.truth.child.deviceReady) {
      Tunnel.heard('device', packet.truth.content);
    }
  };
  const sendEsp = (from: End, child: ChildSa, content: unknown): void => {
    const packet: EspPacket = {
      kind: 'esp',
      from: from === 'device' ? 'lan' : 'wan',
      client: from === 'device' ? child.device : null,
      spi: from === 'device' ? child.spiOut : child.spiIn,
      sequence: from === 'device' ? (child.sentOut += 1) : (child.sentIn += 1),
      length: 100,
      truth: { child, content },
    };
    send(from, child.device, packet);
  };

  for (const [index, plan] of schedule.devices.entries()) {
    const line: IkeLine = {
      device: index,
      unseen: plan.unseen,
      send: (from, packet) => send(from, index, packet),
      after: (milliseconds, act) => clock.after(milliseconds, act),
      implementation: (end) => (end === 'device' ? plan.implementation : schedule.server.implementation),
    };
    void new Device(
      plan,
      {
        ...line,
        random: random.fork(),
        sendEsp,
        isQuiet: () => clock.now > schedule.quietFrom,
        // With version 1 the newest SA is used by all.
        isServerEager: schedule.server.eager || plan.version === 1,
        newChild: (spiOut, spiIn) => ({
          device: index,
          spiOut,
          spiIn,
          deviceReady: false,
          serverReady: false,
          sentOut: 0,
          sentIn: 0,
          endedAt: null,
        }),
        made: (child) => score.made(child),
        endChild: (child) => {
          child.endedAt ??= clock.now;
          score.ended(child);
        },
      },
      schedule.server.implementation,
    );
  }
  clock.runUntil(schedule.end);
  score.finish();
  return score;
}
