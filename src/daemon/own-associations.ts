// The gateway's own IPsec in our table. ESP of its own security associations is for the gateway: the
// rules know them by a set. A server may have been faster than the daemon, and its SPI given to a
// device: that pair goes. Which associations there are is known by linux/xfrm.
import type { Ipv4Address } from '../core/address.ts';
import { inboundKey } from '../core/alg/esp-element.ts';
import type { Spi } from '../core/wire/esp.ts';
import { ipProtocols } from '../core/wire/ipv4.ts';
import type { SecurityAssociation } from '../core/wire/xfrm.ts';
import type { KernelTable } from './kernel-table.ts';

export class OwnAssociations {
  readonly #table: KernelTable;
  /** (source, SPI) of those that were marked, which no device has. */
  #marked: ReadonlySet<string> = new Set();

  constructor(table: KernelTable) {
    this.#table = table;
  }

  /** Makes the table know these and no others. Throws LinuxError. */
  async mark(associations: readonly SecurityAssociation[]): Promise<void> {
    const own = associations
      .filter(({ family, protocol }) => family === 4 && protocol === ipProtocols.esp)
      .map(({ source, destination, spi }) => ({
        from: inboundKey(source as Ipv4Address, spi as Spi),
        to: inboundKey(destination as Ipv4Address, spi as Spi),
      }));
    await this.#table.setKeys(
      'own_sa',
      own.map(({ to }) => to),
    );
    const marked = new Set<string>();
    for (const { from } of own) {
      const pair = String(from);
      marked.add(pair);
      if (!this.#marked.has(pair)) await this.#table.removeElement('esp_in', from);
    }
    this.#marked = marked;
  }
}
