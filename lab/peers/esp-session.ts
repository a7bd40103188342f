// One device's pair of ESP security associations with a server: who sends on which SPI. The SPIs are
// chosen by the scenario; what goes `up` only the server may get, what comes `down` only the device.
import type { Household } from '../topologies/household.ts';
import type { EspOptions, EspPeer } from './esp.ts';

export class EspSession {
  readonly device: EspPeer;
  readonly server: EspPeer;
  readonly spiOut: number;
  readonly spiIn: number;
  readonly #household: Household;

  constructor(household: Household, device: EspPeer, server: EspPeer, spiOut: number, spiIn: number) {
    this.#household = household;
    this.device = device;
    this.server = server;
    this.spiOut = spiOut;
    this.spiIn = spiIn;
  }

  up(options: EspOptions = {}): void {
    this.device.send(this.server.host.address, this.spiOut, this.server.host, options);
  }

  down(options: EspOptions = {}): void {
    this.server.send(this.#household.wan, this.spiIn, this.device.host, options);
  }

  /** The device speaks first, and the server answers when it has heard it. */
  async begin(): Promise<void> {
    this.up();
    await this.#household.ledger.settle();
    this.down();
    await this.#household.ledger.settle();
  }
}
