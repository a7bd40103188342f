// One tunnel of a device: the SAs that follow each other in it, what is sent through it and by whom.
// Requests and pushes are repeated when nothing comes back, as TCP does (RFC 6298); pings are not.
import type { ChildSa } from './child-sa.ts';
import type { Random } from './random.ts';
import type { TunnelPlan } from './schedule.ts';

/** What is inside of an ESP packet. */
interface Content {
  readonly tunnel: Tunnel;
  readonly what: 'request' | 'reply' | 'push' | 'acknowledgment' | 'one-way';
  readonly number: number;
}

export interface TunnelLine {
  sendEsp(from: 'device' | 'server', child: ChildSa, content: unknown): void;
  after(milliseconds: number, act: () => void): void;
  readonly random: Random;
  /** Nothing new is begun after this. */
  isQuiet(): boolean;
  /** Whether the server sends on a new SA before the old one is deleted. */
  readonly isServerEager: boolean;
}

const TCP_REPEATS = [1000, 2000, 4000, 8000];

export class Tunnel {
  readonly plan: TunnelPlan;
  /** Oldest first. */
  readonly children: ChildSa[] = [];
  readonly #line: TunnelLine;
  #begun = false;
  #number = 0;
  #answered = 0;
  #acknowledged = 0;

  constructor(plan: TunnelPlan, line: TunnelLine) {
    this.plan = plan;
    this.#line = line;
  }

  /** An end may use another SA now; the first one starts the traffic. */
  changed(): void {
    if (this.#begun || !this.#childOf('device') || !this.#childOf('server')) return;
    this.#begun = true;
    const { plan } = this;
    this.#line.after(plan.firstAfter, () => this.#beginTraffic());
  }

  #beginTraffic(): void {
    const { random } = this.#line;
    switch (this.plan.pattern) {
      case 'ping':
        return this.#ping(random.isSo(0.5) ? 1000 : 3000);
      case 'one-way-up':
        return this.#oneWay('device', random.between(200, 2000));
      case 'one-way-down':
        return this.#oneWay('server', random.between(200, 2000));
      case 'web':
        return this.#request(random.wait(1500));
      case 'push':
        return this.#push(random.wait(1500));
      case 'quiet':
        // Then something now and then, from either side.
        return this.plan.firstBy === 'device' ? this.#request(3000) : this.#push(3000);
    }
  }

  #childOf(end: 'device' | 'server'): ChildSa | null {
    const ready = this.children.filter(
      (child) => child.endedAt === null && (end === 'device' ? child.deviceReady : child.serverReady),
    );
    const newest = ready.at(-1) ?? null;
    if (end === 'device' || this.#line.isServerEager) return newest;
    // The old one until it is deleted, though the device uses the new one.
    return ready[0] ?? null;
  }

  #send(from: 'device' | 'server', what: Content['what'], number: number): void {
    const child = this.#childOf(from);
    if (child !== null) this.#line.sendEsp(from, child, { tunnel: this, what, number } satisfies Content);
  }

  #repeated(isDone: () => boolean, send: () => void, gaveUp: () => void): void {
    const again = (index: number): void => {
      if (isDone()) return;
      const wait = TCP_REPEATS[index];
      if (wait === undefined) return gaveUp();
      send();
      this.#line.after(wait, () => again(index + 1));
    };
    again(0);
  }

  #request(meanPause: number): void {
    this.#number += 1;
    const number = this.#number;
    const next = (): void => {
      if (this.#line.isQuiet() && this.#line.random.isSo(0.7)) return;
      this.#line.after(this.#line.random.wait(meanPause), () => this.#request(meanPause));
    };
    let settled = false;
    this.#repeated(
      () => {
        if (this.#answered < number) return false;
        if (!settled) next();
        settled = true;
        return true;
      },
      () => this.#send('device', 'request', number),
      next,
    );
  }

  #push(meanPause: number): void {
    this.#number += 1;
    const number = this.#number;
    const next = (): void => {
      this.#line.after(this.#line.random.wait(meanPause), () => this.#push(meanPause));
    };
    let settled = false;
    this.#repeated(
      () => {
        if (this.#acknowledged < number) return false;
        if (!settled) next();
        settled = true;
        return true;
      },
      () => this.#send('server', 'push', number),
      next,
    );
  }

  #ping(interval: number): void {
    this.#number += 1;
    this.#send('device', 'request', this.#number);
    this.#line.after(interval, () => this.#ping(interval));
  }

  #oneWay(from: 'device' | 'server', interval: number): void {
    this.#send(from, 'one-way', 0);
    this.#line.after(interval, () => this.#oneWay(from, interval));
  }

  static isUnanswered(content: unknown): boolean {
    return (content as Content).tunnel.plan.pattern === 'one-way-down';
  }

  /** A packet of ESP has been decrypted at an end. */
  static heard(at: 'device' | 'server', content: unknown): void {
    const { tunnel, what, number } = content as Content;
    const { random } = tunnel.#line;
    if (at === 'server' && what === 'request') {
      const count = tunnel.plan.pattern === 'ping' ? 1 : random.integer(1, 5);
      tunnel.#line.after(random.wait(10), () => {
        for (let index = 0; index < count; index += 1) tunnel.#send('server', 'reply', number);
      });
    } else if (at === 'server' && what === 'acknowledgment') {
      tunnel.#acknowledged = Math.max(tunnel.#acknowledged, number);
    } else if (at === 'device' && what === 'reply') {
      const isNew = tunnel.#answered < number;
      tunnel.#answered = Math.max(tunnel.#answered, number);
      // TCP acknowledges; what a ping gets is the end of it.
      if (isNew && tunnel.plan.pattern !== 'ping') {
        tunnel.#line.after(random.wait(2), () => tunnel.#send('device', 'acknowledgment', 0));
      }
    } else if (at === 'device' && what === 'push') {
      tunnel.#line.after(random.wait(3), () => tunnel.#send('device', 'acknowledgment', number));
    }
  }
}
