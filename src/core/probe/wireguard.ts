// WireGuard: nobody without the server's public key gets an answer, so all that can be learned is that
// the port is shut. Whitepaper 5.4: a responder is silent to whom it does not know.
import { emitWireguard, wireguardBodyBytes } from '../wire/wireguard.ts';
import { ended, type Probe } from './attempt.ts';

export const wireguardProbe: Probe = {
  id: 'wireguard',
  name: 'WireGuard',
  transport: 'udp',
  port: 51_820,
  passthrough: null,
  silence:
    'WireGuard answers nobody who does not know its key, and may use any port: silence is not an answer.',
  begin: (random) => ({
    opening: emitWireguard({
      kind: 'initiation',
      reserved: 0,
      sender: 1,
      body: random(wireguardBodyBytes.initiation),
    }),
    hear: () => ended('other', 'Something answered, but not as WireGuard does: it is silent to strangers.'),
  }),
};
