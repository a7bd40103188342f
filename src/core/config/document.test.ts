import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { parseConfig, setInText, settingAt } from './document.ts';
import { renderProblem } from './problem.ts';
import { PROTOCOLS, type Config } from './schema.ts';

const smallest = 'version: 1\ninterfaces: { wan: eth0, lan: [eth1] }\n';

function configOf(text: string): Config {
  const read = parseConfig(text);
  if ('problems' in read) throw new Error(read.problems.map(renderProblem).join('\n'));
  return read.config;
}

/** Each problem as the command line prints it. */
function told(text: string): string[] {
  const read = parseConfig(text);
  return 'problems' in read ? read.problems.map(renderProblem) : [];
}

describe('what is allowed', () => {
  it('two interfaces are enough; the rest has defaults', () => {
    expect(configOf(smallest)).toEqual({
      version: 1,
      interfaces: { wan: 'eth0', lan: ['eth1'] },
      passthrough: { ipsec: 'enabled', pptp: 'enabled', l2tp: 'enabled' },
      ike: { source_port: 'translate' },
      timeouts: {
        vpn_udp_seconds: 330,
        udp_seconds: 300,
        tcp_established_seconds: 7440,
        esp_seconds: 3600,
      },
      firewall: { wan_ping: true, wan_services: [] },
      names: { mdns: 'enabled', reverse_dns: 'enabled', server_names: 'disabled' },
      web: {
        listen: ['lan:80'],
        tls_listen: ['lan:443'],
        names: [],
        trusted_proxies: [],
        idle_minutes: 60,
        metrics: 'disabled',
      },
    });
  });

  it('the whole file, as the design shows it', () => {
    const config = configOf(`version: 1
interfaces:
  wan: eth0
  lan: [eth1]
passthrough:
  ipsec: enabled     # enabled | disabled
  pptp: enabled
  l2tp: enabled
ike:
  source_port: translate   # translate | preserve
web:
  listen: ["192.168.1.1:80", "[fd00::1]:8080"]
`);
    expect(config.web.listen).toEqual(['192.168.1.1:80', '[fd00::1]:8080']);
  });

  it('aliases, Windows line ends, a byte order mark, JSON', () => {
    expect(configOf('version: 1\r\ninterfaces:\r\n  wan: eth0\r\n  lan: [eth1]\r\n')).toEqual(
      configOf(smallest),
    );
    expect(configOf(`\uFEFF${smallest}`)).toEqual(configOf(smallest));
    expect(configOf(JSON.stringify(configOf(smallest)))).toEqual(configOf(smallest));
    expect(
      configOf(`${smallest}timeouts: { udp_seconds: &t 600, esp_seconds: *t }`).timeouts.esp_seconds,
    ).toBe(600);
  });

  it('the limits themselves', () => {
    const text = `${smallest}timeouts: { udp_seconds: 120, esp_seconds: 86400 }\nfirewall: { wan_services: [tcp/1, udp/65535] }`;
    expect(configOf(text).firewall.wan_services).toEqual(['tcp/1', 'udp/65535']);
  });
});

describe('what is wrong is told with its line, all at once', () => {
  it('every kind of problem', () => {
    const text = `version: "1"
interfaces:
  wan: eth 0
  lan: eth1
passtrough:
  ipsec: enabled
passthrough:
  ipsec: on
  pptp: enable
  l2tp:
  "a.b c": 1
ike:
  source_port: 500
timeouts:
  udp_seconds: 5
  vpn_udp_seconds: 1e9
  esp_seconds: "300"
  tcp_established_seconds: .inf
firewall:
  wan_ping: yes
  wan_services: [tcp/0, "22", 22, tcp/65536]
web: { listen: ["999.1.1.1:80", "[::1]:99999", "[::g]:1", "localhost:80", "1.2.3.4:0"] }
`;
    const listen =
      'is not allowed: an address to listen on is written as "ADDRESS:PORT", such as "192.168.1.1:80" or "[fd00::1]:80", or as "lan:PORT" for all addresses of the LAN interfaces. Write "lan" or an address of this machine, and a port from 1 to 65535.';
    const service =
      'is not allowed: a service is written as "tcp/PORT" or "udp/PORT" with a port from 1 to 65535, such as "tcp/22". Write one entry for each port.';
    expect(told(text)).toEqual([
      'version (line 1): "1" is a text; the number 1 is needed. Remove the quotes.',
      'interfaces.wan (line 3): "eth 0" is not allowed: the name of a network interface is 1 to 15 letters, digits and signs, without spaces, quotes and "/", ":", "*" or "\\". Run "ip -brief link", which lists the interfaces of this machine.',
      'interfaces.lan (line 4): "eth1" is not allowed; a list such as [eth1] is needed. Put it in brackets.',
      'passthrough.ipsec (line 8): "on" is not allowed; allowed: "enabled" or "disabled". Did you mean "enabled"?',
      'passthrough.pptp (line 9): "enable" is not allowed; allowed: "enabled" or "disabled". Did you mean "enabled"?',
      'passthrough.l2tp (line 10): the setting is empty; allowed: "enabled" or "disabled". Write one of these.',
      'passthrough."a.b c" (line 11): "a.b c" is not a setting; allowed here: ipsec, pptp, l2tp. Remove it.',
      'ike.source_port (line 13): "500" is not allowed; allowed: "translate" or "preserve". Write one of these.',
      'timeouts.vpn_udp_seconds (line 16): "1000000000" is too large; the most is 86400. Write 86400 or less.',
      'timeouts.udp_seconds (line 15): "5" is too small; the least is 120. Write 120 or more.',
      'timeouts.tcp_established_seconds (line 18): "Infinity" is not allowed; a whole number is needed. Correct the value.',
      'timeouts.esp_seconds (line 17): "300" is not allowed; a whole number is needed. Remove the quotes.',
      'firewall.wan_ping (line 20): "yes" is not allowed; true or false is needed. Correct the value.',
      `firewall.wan_services[0] (line 21): "tcp/0" ${service}`,
      `firewall.wan_services[1] (line 21): "22" ${service}`,
      'firewall.wan_services[2] (line 21): "22" is not allowed; a text is needed. Write one entry for each port.',
      `firewall.wan_services[3] (line 21): "tcp/65536" ${service}`,
      ...['999.1.1.1:80', '[::1]:99999', '[::g]:1', 'localhost:80', '1.2.3.4:0'].map(
        (text, index) => `web.listen[${index}] (line 22): "${text}" ${listen}`,
      ),
      'passtrough (line 5): "passtrough" is not a setting; allowed here: version, interfaces, passthrough, ike, timeouts, firewall, names, web. Did you mean "passthrough"?',
    ]);
  });

  it.each([
    ['', ['the file is empty; settings are needed. Begin with "version: 1" and "interfaces:".']],
    [
      '# only a comment\n',
      ['the file is empty; settings are needed. Begin with "version: 1" and "interfaces:".'],
    ],
    ['eth0', ['the file is not a group of settings. Begin with "version: 1" and "interfaces:".']],
    ['- eth0', ['the file is not a group of settings. Begin with "version: 1" and "interfaces:".']],
    [
      'interfaces: { wan: eth0 }',
      [
        'version: the setting is missing; allowed: "1". Write "version: 1".',
        'interfaces.lan (line 1): the setting is missing; a list such as [eth1] is needed. Add "lan".',
      ],
    ],
    [
      '# mine\nversion: 2\nunknown: 1',
      [
        'version (line 2): "2" is of a newer Throughway; this one reads versions up to 1. Upgrade Throughway, or restore the configuration that this version wrote.',
      ],
    ],
    [
      'version: 0\ninterfaces:\n',
      [
        'version (line 1): "0" is not allowed; allowed: "1". Write 1.',
        'interfaces (line 2): the setting is empty; a group of settings is needed. Write a value, or remove the line.',
      ],
    ],
    [
      'version: 1.5\ninterfaces: eth0',
      [
        'version (line 1): "1.5" is not allowed; allowed: "1". Write 1.',
        'interfaces (line 2): "eth0" is not allowed; a group of settings is needed. Correct the value.',
      ],
    ],
    [
      'version: 1\ninterfaces:\n  wan: eth0\n  lan:\n  - eth0\n  - eth1\n  - eth1\nunknown: 1',
      [
        'unknown (line 8): "unknown" is not a setting; allowed here: version, interfaces, passthrough, ike, timeouts, firewall, names, web. Remove it.',
        'interfaces.lan[0] (line 5): "eth0" is the WAN interface and cannot be a LAN interface too. Name the interface behind which the devices are.',
        'interfaces.lan[2] (line 7): "eth1" is listed twice. Remove one of them.',
      ],
    ],
    [
      'version: 1\ninterfaces: { wan: eth0, lan: [] }',
      ['interfaces.lan (line 2): at least one LAN interface is needed. Add an entry.'],
    ],
    [
      `version: 1\ninterfaces: { wan: eth0, lan: [${Array.from({ length: 65 }, (_, index) => `lan${index}`).join()}] }`,
      ['interfaces.lan (line 2): too many entries; the most is 64. Remove some.'],
    ],
    [
      'version: 1\nversion: 1\ninterfaces: { wan: a, lan: [b] }',
      ['file (line 2): this setting is written twice. Remove one of them.'],
    ],
    [
      `${smallest}---\n${smallest}`,
      ['file (line 3): a second document ("---") begins here; one is allowed. Remove one of them.'],
    ],
    [
      'version: 1\ninterfaces: { wan: *eth, lan: [eth1] }',
      [
        'the file cannot be read as YAML: Unresolved alias (the anchor must be set before the alias): eth. Write plain values, without aliases ("*name").',
      ],
    ],
  ])('%j', (text, expected) => expect(told(text)).toEqual(expected));

  it('text that is no YAML, without a flood of what follows from one slip', () => {
    for (const text of ['interfaces: [', '\t- x', 'a: b: c', '"', '{'.repeat(1000), '%YAML 9\n?:']) {
      const problems = told(text);
      expect(problems.length).toBeGreaterThan(0);
      expect(problems.length).toBeLessThanOrEqual(5);
    }
    expect(told('version: 1\n\tinterfaces:')[0]).toBe(
      'file (line 2): the file is not valid YAML: Tabs are not allowed as indentation. Look at this line and the one above it: indentation is two spaces, a colon is followed by a space.',
    );
  });

  it('nothing in a message that a terminal would act upon', () => {
    const text =
      'version: 1\n"\\e[2J\\n": 1\n__proto__: 1\nconstructor: 1\ninterfaces: { wan: "\\e]0;x\\a\\u202e", lan: [1] }';
    const problems = told(text);
    expect(problems).toHaveLength(5);
    // oxlint-disable-next-line no-control-regex
    for (const problem of problems) expect(problem).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
    expect(problems[0]).toContain('"\\u{1b}]0;x\\u{7}\\u{202e}" is not allowed');
  });
});

describe('what wants to keep the reader busy ends soon', () => {
  const aliases = Array.from(
    { length: 12 },
    (_, level) => `a${level}: &a${level} [${level ? `*a${level - 1},`.repeat(9) : 1}]`,
  );
  it.each([
    ['a bomb of aliases', aliases.join('\n')],
    ['a group that holds itself', 'version: 1\ninterfaces: &a { wan: *a, lan: [*a] }'],
    ['a list that holds itself', 'version: 1\ninterfaces: { wan: a, lan: &a [*a] }'],
    ['brackets that never close', '['.repeat(20_000)],
    ['deep brackets', `version: ${'['.repeat(2000)}${']'.repeat(2000)}`],
    ['a long word', 'a'.repeat(60_000)],
    ['a long name', `version: 1\n${'k'.repeat(60_000)}: 1`],
    ['many settings', Array.from({ length: 2000 }, (_, index) => `key${index}: 1`).join('\n')],
    ['too much', '#'.repeat(65_537)],
  ])('%s', (_what, text) => {
    const began = performance.now();
    expect(told(text).length).toBeGreaterThan(0);
    expect(performance.now() - began).toBeLessThan(20_000);
  });
});

it('any JSON and any text ends in a configuration or in problems', () => {
  const name = fc.constantFrom(
    'version',
    'interfaces',
    'wan',
    'lan',
    'passthrough',
    'ipsec',
    'timeouts',
    'udp_seconds',
    'firewall',
    'wan_services',
    'web',
    'listen',
    '__proto__',
  );
  const near = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(1, 2, 'eth0', 'eth1', 'enabled', 'tcp/22', null, true),
      fc.jsonValue({ maxDepth: 1 }),
      fc.dictionary(name, tie('value')),
      fc.array(tie('value'), { maxLength: 4 }),
    ),
  })).value;
  const versioned = near.map((rest) => ({
    version: 1,
    ...(typeof rest === 'object' && !Array.isArray(rest) ? rest : { interfaces: rest }),
  }));
  const text = fc.oneof(
    fc.oneof(versioned, near, fc.jsonValue()).map((value) => JSON.stringify(value)),
    fc.oneof(versioned, near).map((value) => stringify(value)),
    fc.string({ unit: fc.constantFrom(...Array.from('a:-[]{}&*#!|>%@"\'\n \t,?0')) }),
  );
  fc.assert(
    fc.property(text, (source) => {
      const read = parseConfig(source);
      if ('config' in read) return;
      expect(read.problems.length).toBeGreaterThan(0);
      for (const { message, hint } of read.problems) {
        expect(message).not.toBe('');
        expect(hint).toMatch(/[^.]$/);
      }
    }),
    { numRuns: 300 },
  );
});

describe('one setting changed in the text', () => {
  const commented = `# The gateway of the house.
version: 1   # of the format

interfaces:
  wan: eth0 # fibre
  # the LAN has two of them
  lan:
    - eth1
    - eth2

# the switches
passthrough:
  # old
  pptp: 'disabled' # since 2019
  ipsec: enabled

timeouts: { udp_seconds: 600 } # the end
`;

  it('keeps comments, order and the rest', () => {
    expect(setInText(commented, ['passthrough', 'pptp'], 'enabled')).toBe(
      commented.replace("pptp: 'disabled'", "pptp: 'enabled'"),
    );
    const added = setInText(commented, ['passthrough', 'l2tp'], 'disabled');
    expect(added.replace('1 # of', '1   # of')).toBe(
      commented.replace('ipsec: enabled\n', 'ipsec: enabled\n  l2tp: disabled\n'),
    );
  });

  it('does not change what only shares the value', () => {
    const shared = `${smallest}passthrough: { ipsec: &s enabled, pptp: *s, l2tp: *s }\n`;
    expect(configOf(setInText(shared, ['passthrough', 'ipsec'], 'disabled')).passthrough).toEqual({
      ipsec: 'disabled',
      pptp: 'enabled',
      l2tp: 'enabled',
    });
    expect(configOf(setInText(shared, ['passthrough', 'pptp'], 'disabled')).passthrough.l2tp).toBe('enabled');
  });

  it('any switches in any text give the configuration meant, with all comments', () => {
    const value = fc.constantFrom('enabled', 'disabled');
    const texts = fc.constantFrom(
      smallest,
      commented,
      `${smallest}# last`,
      JSON.stringify(configOf(smallest)),
      `${smallest}passthrough: {} # all`,
      commented.replaceAll('\n', '\r\n'),
      `${smallest}passthrough: { ipsec: &s enabled, pptp: *s, l2tp: *s } # shared`,
    );
    const changes = fc.array(fc.tuple(fc.constantFrom(...PROTOCOLS), value), { maxLength: 6 });
    fc.assert(
      fc.property(texts, changes, (text, list) => {
        const before = configOf(text);
        const changed = list.reduce((now, [name, to]) => setInText(now, ['passthrough', name], to), text);
        expect(configOf(changed)).toEqual({
          ...before,
          passthrough: { ...before.passthrough, ...Object.fromEntries(list) },
        });
        const comments = (source: string): string[] =>
          source.match(/#.*/g)?.map((one) => one.trimEnd()) ?? [];
        expect(comments(changed)).toEqual(comments(text));
      }),
    );
  });
});

it('what the schema says of a place is its settings and its advice', () => {
  expect(settingAt(['firewall'])).toEqual({ settings: ['wan_ping', 'wan_services'] });
  expect(settingAt(['interfaces', 'lan', 0]).hint).toContain('ip -brief link');
  expect(settingAt(['constructor', '__proto__', 3])).toEqual({ settings: [] });
});
