// A protocol that is switched off: refused at once towards the LAN, so that no device waits for a
// time-out, and dropped without a word towards the WAN. These chains stand before everything that
// accepts, so running sessions stop with the transaction that brings them.
import { PROTOCOLS, type Config } from '../config/schema.ts';
import { countAs } from './counters.ts';
import { copySome } from './observe.ts';
import { interfaceSet, rule, type Chain, type Rule } from './ruleset.ts';

const refuse = 'reject with icmpx admin-prohibited';

/** The jumps into the chains below; none when every protocol is enabled, so that packets pay nothing. */
export function switchRules(config: Config): Rule[] {
  if (PROTOCOLS.every((protocol) => config.passthrough[protocol] === 'enabled')) return [];
  const { wan, lan } = config.interfaces;
  return [
    rule(
      `iifname ${interfaceSet(lan)} oifname "${wan}" jump disabled_from_lan`,
      'Protocols that are switched off are refused',
    ),
    rule(`iifname "${wan}" jump disabled_from_wan`, 'and what comes for them from the WAN is dropped'),
  ];
}

/** What is refused is copied, a few times a second, so that the device's attempts can be shown. */
function refusal(match: string, verdict: string, why: string): Rule[] {
  return [
    rule(`${match} ${copySome('refused', 20)}`, 'A few copies for the daemon'),
    rule(`${match} ${verdict}`, why),
  ];
}

export function switchChains(config: Config): Chain[] {
  const { ipsec, pptp, l2tp } = config.passthrough;
  const fromLan: Rule[] = [];
  const fromWan: Rule[] = [];
  const gre: Rule[] = [];
  if (ipsec === 'disabled') {
    const why = 'IPSec Passthrough is disabled';
    fromLan.push(
      ...refusal(`udp dport { 500, 4500 }`, `${countAs('ipsec_disabled')} ${refuse}`, why),
      ...refusal(`meta l4proto { esp, ah }`, `${countAs('ipsec_disabled')} ${refuse}`, why),
      // RFC 7296 2.23: an initiator on the internet, which IPv6 and port forwards let in, may have any port.
      ...refusal(
        `udp sport { 500, 4500 } udp dport >= 1024`,
        `${countAs('ipsec_disabled')} ${refuse}`,
        `${why}, also to an initiator's other port`,
      ),
    );
    fromWan.push(
      rule(`udp sport { 500, 4500 } ${countAs('ipsec_disabled')} drop`, why),
      rule(`meta l4proto { esp, ah } ${countAs('ipsec_disabled')} drop`, why),
      rule(
        `udp dport { 500, 4500 } udp sport >= 1024 ${countAs('ipsec_disabled')} drop`,
        `${why}, also from an initiator's other port`,
      ),
    );
  }
  if (pptp === 'disabled') {
    const why = 'PPTP Passthrough is disabled';
    fromLan.push(
      ...refusal(`tcp dport 1723`, `${countAs('pptp_disabled')} reject with tcp reset`, why),
      rule('meta l4proto gre jump disabled_gre', 'GRE version 1 is PPTP; other GRE passes'),
    );
    fromWan.push(
      rule(`tcp sport 1723 ${countAs('pptp_disabled')} drop`, why),
      rule('meta l4proto gre jump disabled_gre', 'GRE version 1 is PPTP; other GRE passes'),
    );
    // RFC 2637 4.1: version 1 in the low three bits of the second byte. In a chain of its own, because
    // nft 1.0.6 cannot list a raw match beside one on the protocol.
    gre.push(
      rule(`@th,13,3 1 iifname "${config.interfaces.wan}" ${countAs('pptp_disabled')} drop`, why),
      ...refusal('@th,13,3 1', `${countAs('pptp_disabled')} ${refuse}`, why),
    );
  }
  if (l2tp === 'disabled') {
    const why = 'L2TP Passthrough is disabled';
    fromLan.push(
      ...refusal(`udp dport 1701`, `${countAs('l2tp_disabled')} ${refuse}`, why),
      ...refusal(`meta l4proto 115`, `${countAs('l2tp_disabled')} ${refuse}`, why),
      // RFC 2661 8.1. No port below 1024 is one that a server has moved to, and DNS may come from any.
      ...refusal(
        `udp sport 1701 udp dport >= 1024`,
        `${countAs('l2tp_disabled')} ${refuse}`,
        `${why}, also to a server's other port`,
      ),
    );
    fromWan.push(
      rule(`udp sport 1701 ${countAs('l2tp_disabled')} drop`, why),
      rule(`meta l4proto 115 ${countAs('l2tp_disabled')} drop`, why),
      rule(
        `udp dport 1701 udp sport >= 1024 ${countAs('l2tp_disabled')} drop`,
        `${why}, also from a server's other port`,
      ),
    );
  }
  return [
    { name: 'disabled_from_lan', hook: null, rules: fromLan },
    { name: 'disabled_from_wan', hook: null, rules: fromWan },
    { name: 'disabled_gre', hook: null, rules: gre },
  ];
}
