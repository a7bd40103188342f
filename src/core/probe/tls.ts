// VPNs inside HTTPS: SSTP, SoftEther and AnyConnect (ocserv too), each asked by the first HTTP request
// that its client sends. TLS itself is not known here. MS-SSTP 3.2.4.1; SoftEther's Protocol.c
// (HTTP_VPN_TARGET); draft-mavrogiannopoulos-openconnect 2.1.1.
import { ended, type Attempt, type Probe, type Reaction } from './attempt.ts';

/** More than any of these answers' beginnings; an endless stream ends here. */
const MOST_BYTES = 32_768;

interface HttpAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

type Judge = (answer: HttpAnswer, isWhole: boolean) => Reaction;

class HttpAttempt implements Attempt {
  readonly opening: Uint8Array;
  readonly #what: string;
  readonly #judge: Judge;
  #text = '';

  constructor(what: string, request: string, judge: Judge) {
    this.opening = Uint8Array.from(request, (letter) => letter.charCodeAt(0) & 0xff);
    this.#what = what;
    this.#judge = judge;
  }

  hear(bytes: Uint8Array): Reaction {
    for (const byte of bytes.subarray(0, MOST_BYTES - this.#text.length))
      this.#text += String.fromCharCode(byte);
    const isWhole = this.#text.length >= MOST_BYTES;
    const status = /^HTTP\/1\.[01] (\d{3})/.exec(this.#text)?.[1];
    const end = this.#text.indexOf('\r\n\r\n');
    if (status === undefined && this.#text.length >= 12) {
      return ended('other', `Something answers there, but it is no ${this.#what}.`);
    }
    if (status === undefined || (end < 0 && !isWhole)) return null;
    const head = end < 0 ? this.#text : this.#text.slice(0, end);
    return this.#judge(
      { status: Number(status), head, body: end < 0 ? '' : this.#text.slice(end + 4) },
      isWhole,
    );
  }
}

/** A name or address as it may stand in a Host header. */
function hostHeader(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

const SSTP_PATH = '/sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/';

function sstp(host: string): Attempt {
  const request = [
    `SSTP_DUPLEX_POST ${SSTP_PATH} HTTP/1.1`,
    `Host: ${hostHeader(host)}`,
    // MS-SSTP 3.2.4.1: both directions go on for ever, and the length says so.
    'Content-Length: 18446744073709551615',
    '',
    '',
  ].join('\r\n');
  return new HttpAttempt('SSTP', request, ({ status, head }) => {
    if (status === 200 && /^content-length: *18446744073709551615 *$/im.test(head)) {
      return ended('answered', 'The server accepted an SSTP connection.');
    }
    return ended('other', `A web server answers there (status ${status}), but no SSTP.`);
  });
}

function softether(host: string): Attempt {
  const body = 'VPNCONNECT';
  const request = [
    'POST /vpnsvc/connect.cgi HTTP/1.1',
    `Host: ${hostHeader(host)}`,
    'Content-Type: image/jpeg',
    'Connection: Keep-Alive',
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
  return new HttpAttempt('SoftEther', request, ({ status, head, body: content }) => {
    if (status === 200 && /^content-type: *application\/octet-stream/im.test(head)) {
      // The first of its packs holds these names, in the clear inside TLS.
      if (content.length < 64) return null;
      if (/hello|softether/i.test(content))
        return ended('answered', 'The server answered as SoftEther does.');
    }
    return ended('other', `A web server answers there (status ${status}), but no SoftEther.`);
  });
}

function anyconnect(host: string): Attempt {
  const body =
    '<?xml version="1.0" encoding="UTF-8"?>\n<config-auth client="vpn" type="init"><version who="vpn">v5.01</version><device-id>linux-64</device-id></config-auth>';
  const request = [
    'POST / HTTP/1.1',
    `Host: ${hostHeader(host)}`,
    'User-Agent: AnyConnect Linux_64 5.01',
    'X-Transcend-Version: 1',
    'X-Aggregate-Auth: 1',
    'X-Support-HTTP-Auth: true',
    'Content-Type: application/x-www-form-urlencoded',
    'Connection: close',
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
  return new HttpAttempt('AnyConnect', request, ({ status, head, body: content }, isWhole) => {
    if (/^x-(transcend-version|cstp-|aggregate-auth)/im.test(head) || content.includes('<config-auth')) {
      return ended('answered', 'The server answered as AnyConnect and ocserv do.');
    }
    if (status === 200 && content.length < 64 && !isWhole) return null;
    return ended('other', `A web server answers there (status ${status}), but no AnyConnect.`);
  });
}

const inTls = { transport: 'tls', passthrough: null } as const;

export const tlsProbes: readonly Probe[] = [
  { ...inTls, id: 'sstp', name: 'SSTP', port: 443, begin: (_random, host) => sstp(host) },
  { ...inTls, id: 'softether', name: 'SoftEther', port: 443, begin: (_random, host) => softether(host) },
  {
    ...inTls,
    id: 'softether-5555',
    name: 'SoftEther',
    port: 5555,
    begin: (_random, host) => softether(host),
  },
  { ...inTls, id: 'softether-992', name: 'SoftEther', port: 992, begin: (_random, host) => softether(host) },
  { ...inTls, id: 'anyconnect', name: 'AnyConnect', port: 443, begin: (_random, host) => anyconnect(host) },
];
