// Plain words about VPN passthrough, for people who own a router. The one source of `throughway explain`,
// of the page and of docs/advice.md. A text is paragraphs; a paragraph that is a list has one item a line.

export interface Topic {
  readonly name: string;
  readonly title: string;
  readonly paragraphs: readonly (string | readonly string[])[];
}

export const TOPICS: readonly Topic[] = [
  {
    name: 'passthrough',
    title: 'What VPN passthrough is',
    paragraphs: [
      'A router lets all devices of a home share one public address. For that it rewrites the addresses and ports of each packet that leaves, and remembers them for the answers: this is NAT.',
      'Some VPN protocols do not survive it. PPTP carries its data in GRE and IPsec carries it in ESP; both have no ports, so an ordinary router does not know which device an answer is for. With VPN passthrough the router knows these protocols well enough to let their packets through in both directions.',
      'Passthrough opens nothing towards your home: only connections that a device has begun itself come back in.',
    ],
  },
  {
    name: 'vpn-router',
    title: 'Passthrough or VPN router',
    paragraphs: [
      'With passthrough each device runs its own VPN client, and the router only lets the packets pass. It has no key, no password and no server address, and cannot read anything.',
      'A VPN router runs the VPN client itself and sends the traffic of all devices through it. That is something else: Throughway does not do it.',
      'A device behind a VPN router needs no VPN of its own; a device behind passthrough does.',
    ],
  },
  {
    name: 'protocols',
    title: 'Which protocol needs what',
    paragraphs: [
      [
        'PPTP needs PPTP Passthrough: TCP 1723 and GRE.',
        'L2TP without IPsec needs L2TP Passthrough: UDP 1701; version 3 also IP protocol 115.',
        'L2TP/IPsec needs IPSec Passthrough: the L2TP in it is encrypted.',
        'IPsec with IKEv1 or IKEv2 needs IPSec Passthrough: UDP 500, UDP 4500 and ESP.',
        'OpenVPN, WireGuard, SSTP, SoftEther and AnyConnect need none: to a router they are ordinary UDP and TCP.',
      ],
      'When both ends of an IPsec connection speak NAT traversal, as nearly all do today, the data goes by UDP 4500 and passes any router. Raw ESP, without NAT traversal, is what needs real passthrough, above all when several devices use the same server.',
      'AH, another part of IPsec, signs the addresses themselves. No NAT can pass it; use ESP.',
    ],
  },
  {
    name: 'pptp',
    title: 'Why PPTP is unsafe',
    paragraphs: [
      'The encryption of PPTP is broken. Whoever can record a connection, in a café or at a provider, can find the key in less than a day and read everything, the password among it. A long password does not help.',
      'Keep PPTP Passthrough off unless an old server demands it, and ask the owner of that server for IKEv2, WireGuard or OpenVPN. The history of sessions shows which devices still use it.',
    ],
  },
  {
    name: 'need',
    title: 'Do I need VPN passthrough?',
    paragraphs: [
      'If a VPN of yours works, you need nothing more. If one does not connect from home but does elsewhere, this may be why.',
      'To find out, ask the server: throughway probe vpn.example.org tries which protocols it answers and says for each whether devices need passthrough for it. throughway doctor tells what stands in the way on this side.',
      'All three switches are on by default, and harm nothing: they let devices connect outwards and open nothing inwards. Turning one off blocks the protocol for everybody in the home.',
    ],
  },
  {
    name: 'ike-source-port',
    title: 'IKE source port: translate or preserve',
    paragraphs: [
      'IKE, which negotiates IPsec, speaks from UDP port 500. When two devices use one server, only one of them can keep that port by ordinary NAT.',
      'translate, the default, gives the second device another port. Nearly every server accepts that.',
      'preserve lets all devices keep port 500 and tells their answers apart by a number that each device has chosen for itself (the initiator cookie or SPI). Use it when a server insists on port 500: throughway probe and throughway doctor say so.',
    ],
  },
  {
    name: 'mtu',
    title: 'MTU: it connects, and then pages hang',
    paragraphs: [
      'A VPN wraps each packet into another, which makes it larger. What is then too large for the way is cut into pieces or must be refused with a message ("too big"). When a network on the way drops the pieces or the message, small things work and large ones hang: the VPN connects, a ping passes, and pages or files stop in the middle.',
      'The cure is on the device: set the MTU of its VPN connection lower; 1300 passes nearly everywhere. For IKE itself, turn on fragmentation (RFC 7383) on both ends.',
    ],
  },
];

/** The text for a terminal of this width. */
export function renderTopic({ title, paragraphs }: Topic, width: number): string {
  const parts = paragraphs.map((one) =>
    typeof one === 'string'
      ? wrap(one, width, '', '')
      : one.map((item) => wrap(item, width, '- ', '  ')).join('\n'),
  );
  return [title, '='.repeat(title.length), '', parts.join('\n\n')].join('\n');
}

/** All of them as a page of the manual. */
export function renderTopicsMarkdown(): string {
  const MARKDOWN_WIDTH = 118;
  const topics = TOPICS.map(({ title, paragraphs }) => {
    const parts = paragraphs.map((one) =>
      typeof one === 'string'
        ? wrap(one, MARKDOWN_WIDTH, '', '')
        : one.map((item) => wrap(item, MARKDOWN_WIDTH, '- ', '  ')).join('\n'),
    );
    return `## ${title}\n\n${parts.join('\n\n')}`;
  });
  return `# VPN passthrough in plain words\n\n${topics.join('\n\n')}\n`;
}

function wrap(text: string, width: number, first: string, others: string): string {
  const lines: string[] = [];
  let line = first;
  for (const word of text.split(' ')) {
    const start = lines.length === 0 ? first : others;
    if (line.length > start.length && line.length + 1 + word.length > width) {
      lines.push(line);
      line = others + word;
    } else line += line.length > start.length ? ` ${word}` : word;
  }
  return [...lines, line].join('\n');
}
