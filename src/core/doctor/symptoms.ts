// Where the manual goes on from a finding: the heading in docs/troubleshooting.md under which somebody who sees
// the symptom looks. The daemon serves the manual below /manual/.
import type { Cause } from './finding.ts';

const NOTHING_AT_ALL = 'no-device-gets-to-the-internet-at-all';
const NO_ANSWER = 'the-server-does-not-answer';
const NOTHING_PASSES = 'it-connects-and-then-nothing-passes';
const SECOND_DEVICE = 'the-first-device-works-the-second-one-does-not';
const DIES = 'it-works-for-some-minutes-and-then-dies';
const REFUSED = 'it-is-refused-at-once';
const NEW_ONES = 'what-runs-goes-on-and-nothing-new-connects';
const NOT_RUNNING = 'the-daemon-does-not-start';
const NO_EFFECT = 'a-change-of-the-configuration-has-no-effect';
const FLUSHED = 'after-nft-flush-ruleset';
const CERTIFICATES = 'certificates-are-refused';

/** Each as the address of its heading. */
export const SYMPTOMS: Readonly<Record<Cause, string>> = {
  'forwarding-off': NOTHING_AT_ALL,
  'table-gone': FLUSHED,
  'table-changed': FLUSHED,
  'wan-missing': NOTHING_AT_ALL,
  'wan-down': NOTHING_AT_ALL,
  'wan-without-address': NOTHING_AT_ALL,
  'lan-missing': NOTHING_AT_ALL,
  'lan-down': NOTHING_AT_ALL,
  'lan-without-address': NOTHING_AT_ALL,
  'reverse-path-filter': NOTHING_AT_ALL,
  'no-default-route': NOTHING_AT_ALL,
  'config-broken': NO_EFFECT,
  'foreign-drop': NOTHING_AT_ALL,
  'foreign-nat': NOTHING_PASSES,
  'foreign-tracking': NOTHING_PASSES,
  'conntrack-full': NEW_ONES,
  'passthrough-disabled': REFUSED,
  'helper-missing': NOTHING_PASSES,
  'wan-private': NOTHING_PASSES,
  'wan-carrier-grade': NOTHING_PASSES,
  'networks-overlap': NOTHING_AT_ALL,
  'address-twice': SECOND_DEVICE,
  'clock-wrong': CERTIFICATES,
  'own-vpn-port': NO_ANSWER,
  'ah-through-nat': REFUSED,
  'same-spi': SECOND_DEVICE,
  asymmetric: NOTHING_PASSES,
  'fragments-lost': NOTHING_PASSES,
  'server-private': NO_ANSWER,
  'server-silent': NO_ANSWER,
  'protocol-blocked': NO_ANSWER,
  'provider-blocks': NO_ANSWER,
  'other-protocol': NO_ANSWER,
  'server-refuses': REFUSED,
  'esp-one-way': NOTHING_PASSES,
  'no-esp': NOTHING_PASSES,
  'gre-lost': NOTHING_PASSES,
  'transport-mode-limit': SECOND_DEVICE,
  'too-large': NOTHING_PASSES,
  'ike-fragments-lost': NO_ANSWER,
  'idle-expired': DIES,
  'source-port-500': SECOND_DEVICE,
  'daemon-trouble': NOT_RUNNING,
  'daemon-down': NOT_RUNNING,
};

/** On the gateway's own page. */
export function manualPlace(cause: Cause): string {
  return `/manual/troubleshooting.html#${SYMPTOMS[cause]}`;
}
