// A machine's interfaces as far as they matter for choosing the two sides of the gateway. Meets no kernel.
import type { SystemSnapshot } from '../../linux/links.ts';

export interface SurveyedLink {
  readonly name: string;
  /** The kernel's word for what it is, such as `bridge` or `wireguard`; null for hardware. */
  readonly kind: string | null;
  readonly up: boolean;
  readonly isLoopback: boolean;
  /** Whether it is a port of a bridge or bond, which then is what counts. */
  readonly isPort: boolean;
  /** Global ones, with their prefix lengths. */
  readonly addresses: readonly string[];
}

export function surveyLink(link: SystemSnapshot['links'][number]): SurveyedLink {
  return {
    name: link.name,
    kind: link.kind,
    up: link.up && link.running,
    isLoopback: link.loopback,
    isPort: link.masterIndex !== null,
    addresses: link.addresses
      .filter((one) => one.scope !== 'link' && one.scope !== 'host')
      .map((one) => `${one.address}/${one.prefixLength}`),
  };
}

export function routedLinks({ links, defaultRoutes }: SystemSnapshot): string[] {
  const names = defaultRoutes.flatMap(({ hops }) =>
    hops.flatMap(({ index }) => links.find((one) => one.index === index)?.name ?? []),
  );
  return [...new Set(names)];
}
