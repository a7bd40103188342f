// The elements of the kernel's maps of ESP as they were last listed, so that a new list tells what has
// come, gone and grown since. The kernel bounds the maps (core/policy/esp.ts), and so this table.
import type { EspElement } from './esp-element.ts';
import type { EspCounted, EspForgotten, EspLearned } from './fact.ts';

type ElementFact = EspLearned | EspCounted | EspForgotten;

const keyOf = ({ client, server, spi }: EspElement): string => `${client} ${server} ${spi}`;

export class EspElementTable {
  readonly #known = { in: new Map<string, EspElement>(), out: new Map<string, EspElement>() };

  /** Whether it is news. */
  add(element: EspElement): boolean {
    const known = this.#known[element.direction];
    const key = keyOf(element);
    if (known.has(key)) return false;
    known.set(key, element);
    return true;
  }

  remove(element: EspElement): void {
    this.#known[element.direction].delete(keyOf(element));
  }

  /** The kernel's whole list; what no effect put into `esp_in` was learned by the kernel's own rules. */
  replace(direction: 'in' | 'out', elements: readonly EspElement[]): ElementFact[] {
    const former = this.#known[direction];
    const now = new Map<string, EspElement>();
    const facts: ElementFact[] = [];
    for (const element of elements) {
      const { client, server, spi, counter } = element;
      const key = keyOf(element);
      const before = former.get(key);
      now.set(key, element);
      if (before === undefined && direction === 'in')
        facts.push({ kind: 'esp-learned', server, spi, client });
      if (counter !== null && counter.packets !== (before?.counter?.packets ?? 0)) {
        facts.push({ kind: 'esp-counted', direction, client, server, spi, ...counter });
      }
    }
    for (const [key, { client, server, spi }] of former) {
      if (!now.has(key)) facts.push({ kind: 'esp-forgotten', direction, client, server, spi });
    }
    this.#known[direction] = now;
    return facts;
  }
}
