// The stand-in's account, configuration and interfaces.
import type { Answer } from './fixture.ts';

export interface AccountOptions {
  /** Which of the three the reader meets; the pages unless said otherwise. */
  readonly door?: 'log-in' | 'first-run';
  /** Whether a change is on probation. */
  readonly isPending?: boolean;
}

export function accountRoutes(now: number, { door, isPending }: AccountOptions): Record<string, Answer> {
  const at = (ago: number): string => new Date(now - ago).toISOString();
  return {
    'GET /login': (_request, reply) => {
      if (!door) return { name: 'admin' };
      reply.writeHead(401, { 'content-type': 'application/problem+json' });
      reply.end(JSON.stringify({ code: door === 'first-run' ? door : 'not-logged-in', detail: 'Log in.' }));
      return undefined;
    },
    'POST /first-run': () => ({ name: 'admin' }),
    'POST /users/admin/totp': () => ({
      secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP',
      uri: 'otpauth://totp/Throughway:admin?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Throughway',
    }),
    'PUT /users/admin/totp': () => ({
      recovery_codes: Array.from({ length: 8 }, (_, index) => `${index}abc-d${index}ef-gh${index}j`),
    }),
    'GET /interfaces': () => [
      { name: 'eth0', state: 'up', addresses: ['198.51.100.2/24'], suggestion: 'wan' },
      { name: 'eth1', state: 'up', addresses: ['192.168.1.1/24'], suggestion: 'lan' },
      { name: 'wlan0', state: 'down', addresses: [], suggestion: null },
    ],
    'GET /topics': () => [
      {
        name: 'pptp',
        title: 'Why PPTP is insecure',
        paragraphs: ['Its encryption is broken.', ['one', 'two']],
      },
    ],
    'GET /config': () => ({
      version: 1,
      interfaces: { wan: 'wan0', lan: ['lan0'] },
      passthrough: { ipsec: 'enabled', pptp: 'enabled', l2tp: 'enabled' },
      ike: { source_port: 'translate' },
      timeouts: { vpn_udp_seconds: 330, udp_seconds: 300, tcp_established_seconds: 7440, esp_seconds: 3600 },
      firewall: { wan_ping: true, wan_services: ['tcp/22'] },
      web: {
        listen: ['lan:80'],
        tls_listen: ['lan:443'],
        names: ['gateway.example.org'],
        trusted_proxies: [],
        idle_minutes: 60,
        metrics: 'disabled',
      },
      names: { mdns: 'enabled', reverse_dns: 'enabled', server_names: 'disabled' },
    }),
    'GET /config/pending': () =>
      isPending ? { reverts_at: at(-72_000), who: 'admin', what: 'web.listen' } : null,
    'GET /config/history': () => [
      { id: 3, at: at(60_000), who: 'admin', what: 'passthrough.pptp' },
      { id: 2, at: at(86_400_000), who: 'root at the shell', what: 'timeouts.esp_seconds, web.listen' },
      { id: 1, at: at(3 * 86_400_000), who: 'first run', what: 'interfaces' },
    ],
    'GET /users': () => [
      { name: 'admin', totp: false, created_at: at(1e9), last_login_at: at(60_000) },
      { name: 'berta', totp: true, created_at: at(1e9), last_login_at: null },
    ],
    'GET /logins': () => [
      {
        id: 'a',
        user: 'admin',
        address: '192.168.1.11',
        agent: '',
        created_at: at(6e6),
        last_used_at: at(0),
        current: true,
      },
      {
        id: 'b',
        user: 'berta',
        address: '192.168.1.12',
        agent: '',
        created_at: at(9e7),
        last_used_at: at(9e5),
        current: false,
      },
    ],
    'GET /tokens': () => [
      { id: 'a', name: 'grafana', scope: 'read', created_at: at(9e8), last_used_at: at(9e4) },
      { id: 'b', name: 'backup script', scope: 'full', created_at: at(9e8), last_used_at: null },
    ],
    'GET /certificate': () => ({
      subject: 'throughway.lan',
      issuer: 'throughway.lan',
      names: ['throughway.lan', '192.168.1.1'],
      not_before: at(9e8),
      not_after: at(-2e10),
      fingerprint_sha256: Array.from({ length: 32 }, (_, index) =>
        (index * 7 + 16).toString(16).toUpperCase(),
      ).join(':'),
      self_made: true,
    }),
  };
}
