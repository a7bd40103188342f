// The ways of forwarding that are compared: each puts a router into the state in which it carries
// all sessions of a scenario. A new way is one more object; forwarding.ts does the rest.
//
// What is fair: every way forwards the same packets (traffic.ts), and every session has been seen in
// both directions before the clock runs, so that no way is charged for learning, or for a flow that
// looks new because nobody has answered.
//
// GRE is measured without the pptp helper, as 100,000 control connections are another benchmark.
// Plain tracking knows a reply only if both Call IDs are 0 (they are the keys of its tuple, and the
// other direction's key is 0 without the helper's key map), so they are 0 here and servers tell the
// sessions apart. Not in these figures: the helper's key map is one list per network namespace,
// which the kernel walks for each packet of GRE version 1, so real PPTP grows dearer with each call.
import { parseInterfaceName, parseIpv4 } from '../src/core/address.ts';
import { CONFIG_VERSION, configSchema } from '../src/core/config/schema.ts';
import { renderFastPath, sizeFor, type FastExit } from '../src/core/policy/fast-path.ts';
import { planRuleset } from '../src/core/policy/gateway.ts';
import { neededSysctls } from '../src/core/policy/sysctls.ts';
import { TABLE, renderTransaction } from '../src/core/policy/ruleset.ts';
import { LAN_INTERFACE, WAN_INTERFACE, run } from './topology.ts';
import type { Scenario } from './traffic.ts';
import { LAN_NEXT_HOP, WAN_ADDRESS, WAN_NEXT_HOP, sessionsOf } from './traffic.ts';

export interface Way {
  /** As in the table and in `--ways`. */
  readonly name: string;
  /** Whether clients leave with the WAN's address, and are answered at it. */
  readonly translates: boolean;
  /** `router` is the name of a network namespace with lan0 and wan0 up and routes in place. */
  prepare(router: string, scenario: Scenario): Promise<void>;
}

/** The measure of all others: no ruleset, no conntrack. */
const routing: Way = {
  name: 'routing',
  translates: false,
  prepare: async () => {},
};

const MASQUERADE = `table ip nat {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "${WAN_INTERFACE}" masquerade
  }
}
`;
const FORWARD_HOOK = `table inet forward_hook {
  chain forward {
    type filter hook forward priority filter; policy accept;
  }
}
`;
const RAW_HOOK = `table inet raw_hook {
  chain prerouting {
    type filter hook prerouting priority raw; policy accept;
    meta l4proto esp accept
  }
}
`;

function translating(name: string, ruleset: string): Way {
  return { name, translates: true, prepare: async (router) => loadRuleset(router, ruleset) };
}

/** What a Linux machine does that shares its address and knows nothing of VPNs. */
const masquerade = translating('masquerade', MASQUERADE);

// What the hooks by themselves cost that any stateful filter and any translation of ESP needs: an empty
// chain, and one with a rule that does not match.
const forwardHook = translating('forward-hook', MASQUERADE + FORWARD_HOOK);
const rawHook = translating('raw-hook', MASQUERADE + RAW_HOOK);
const bothHooks = translating('both-hooks', MASQUERADE + FORWARD_HOOK + RAW_HOOK);

/** The ruleset as the daemon loads it from a default configuration, with ESP's pairs learned already. */
async function prepareThroughway(router: string, scenario: Scenario): Promise<void> {
  const wanAddress = parseIpv4(WAN_ADDRESS);
  const config = configSchema.parse({
    version: CONFIG_VERSION,
    interfaces: { wan: WAN_INTERFACE, lan: [LAN_INTERFACE] },
  });
  for (const [name, value] of neededSysctls([LAN_INTERFACE], () => null)) {
    const path = name.includes('/') ? name : name.replaceAll('.', '/');
    run('ip', ['netns', 'exec', router, 'tee', `/proc/sys/${path}`], value);
  }
  const ruleset = planRuleset(config, { wanAddress, ownGreRemotes: [], othersFilter: false });
  loadRuleset(router, renderTransaction(ruleset, 'other-schema'));
  if (scenario.protocol === 'esp') loadRuleset(router, espElements(`${TABLE} esp_in`, scenario));
}

/** Without the daemon, or where its fast path does not apply. */
const ordinary: Way = { name: 'ordinary', translates: true, prepare: prepareThroughway };

/** With the daemon's fast path, which is there while pairs of ESP are busy. */
const throughway: Way = {
  name: 'throughway',
  translates: true,
  prepare: async (router, scenario) => {
    await prepareThroughway(router, scenario);
    if (scenario.protocol === 'esp') loadFastPath(router, scenario);
  },
};

/** As when others' ESP is busy: what the fast path costs those that do not use it. */
const besideFast: Way = {
  name: 'beside-fast',
  translates: true,
  prepare: async (router, scenario) => {
    await prepareThroughway(router, scenario);
    loadFastPath(router, scenario);
  },
};

function loadFastPath(router: string, scenario: Scenario): void {
  const exit = (device: string, nextHop: string): FastExit => ({
    device: parseInterfaceName(device)!,
    nextHop: parseIpv4(nextHop),
  });
  const lane = { mostBytes: null };
  const sessions = [...sessionsOf(scenario)];
  const path = {
    wan: parseInterfaceName(WAN_INTERFACE)!,
    lan: [parseInterfaceName(LAN_INTERFACE)!],
    wanAddress: parseIpv4(WAN_ADDRESS)!,
    out: [
      {
        ...lane,
        exit: exit(WAN_INTERFACE, WAN_NEXT_HOP),
        elements: sessions.map(({ client, server, spi }) => `${client} . ${server} . ${spi}`),
      },
    ],
    in: [
      {
        ...lane,
        exit: exit(LAN_INTERFACE, LAN_NEXT_HOP),
        elements: sessions.map(({ client, server, spi }) => `${server} . ${spi} : ${client}`),
      },
    ],
  };
  // The program that loads it ends, and would take it away with it.
  loadRuleset(
    router,
    renderFastPath(path, { out: [sizeFor(sessions.length)], in: [sizeFor(sessions.length)] }, ''),
  );
}

/** The least that ESP needs: a map of (server, SPI) without any learning, filter or timeout. */
const leastEsp: Way = {
  name: 'least-esp',
  translates: true,
  prepare: async (router, scenario) => {
    loadRuleset(
      router,
      `table inet least {
  map esp_in {
    typeof ip saddr . esp spi : ip daddr
    size 262144
  }
  chain prerouting {
    type filter hook prerouting priority raw; policy accept;
    iifname "${LAN_INTERFACE}" meta l4proto esp notrack
    iifname "${WAN_INTERFACE}" meta l4proto esp notrack ip daddr set ip saddr . esp spi map @esp_in
  }
  chain postrouting_esp {
    type filter hook postrouting priority srcnat; policy accept;
    oifname "${WAN_INTERFACE}" meta l4proto esp ip saddr set ${WAN_ADDRESS}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "${WAN_INTERFACE}" masquerade
  }
}
`,
    );
    if (scenario.protocol === 'esp') loadRuleset(router, espElements('inet least esp_in', scenario));
  },
};

/** The first is what the others are compared to. */
export const allWays: readonly Way[] = [
  routing,
  masquerade,
  throughway,
  ordinary,
  besideFast,
  leastEsp,
  forwardHook,
  rawHook,
  bothHooks,
];
export const defaultWays: readonly Way[] = [routing, masquerade, throughway];

/** One transaction, as text on nft's standard input. */
function loadRuleset(router: string, ruleset: string): void {
  run('ip', ['netns', 'exec', router, 'nft', '-f', '-'], ruleset);
}

/** Every session of the scenario as an element (server . SPI : client) of a map. */
function espElements(map: string, scenario: Scenario): string {
  const elements: string[] = [];
  for (const { server, spi, client } of sessionsOf(scenario)) {
    elements.push(`${server} . ${spi} : ${client}`);
  }
  return `add element ${map} { ${elements.join(',\n')} }\n`;
}
