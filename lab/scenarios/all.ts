// Every scenario, in the order in which they are played.
import { doctorConnectionScenarios } from './doctor-connections.ts';
import { doctorHealthyScenarios } from './doctor-healthy.ts';
import { pairedByKernel, type Scenario } from '../scenario.ts';
import { diagnosisQuietScenarios } from './diagnosis-quiet.ts';
import { doctorRefusalScenarios } from './doctor-refusals.ts';
import { doctorStrainScenarios } from './doctor-strains.ts';
import { doctorSubjectScenarios } from './doctor-subject.ts';
import { doctorScenarios } from './doctor.ts';
import { espScenarios } from './esp.ts';
import { espLimitScenarios } from './esp-limits.ts';
import { espPairedScenarios } from './esp-paired.ts';
import { espRekeyScenarios } from './esp-rekey.ts';
import { fastPathScenarios } from './fast-path.ts';
import { fragmentScenarios } from './fragments.ts';
import { gatewayScenarios } from './gateway.ts';
import { icmpScenarios } from './icmp.ts';
import { ikeScenarios } from './ike.ts';
import { ipv6Scenarios } from './ipv6.ts';
import { l2tpScenarios } from './l2tp.ts';
import { manualScenarios } from './manual.ts';
import { nameScenarios } from './names.ts';
import { natScenarios } from './nat.ts';
import { probeHostileScenarios } from './probe-hostile.ts';
import { probeScenarios } from './probe.ts';
import { reflectorScenarios } from './reflector.ts';
import { sessionScenarios } from './sessions.ts';
import { troubleScenarios } from './trouble.ts';
import { otherTableScenarios } from './other-tables.ts';
import { otherScenarios } from './others.ts';
import { ownTunnelScenarios } from './own-tunnels.ts';
import { pptpScenarios } from './pptp.ts';
import { pptpLimitScenarios } from './pptp-limits.ts';
import { pptpSwitchScenarios } from './pptp-switch.ts';
import { webScenarios } from './web.ts';

export const SCENARIOS: readonly Scenario[] = [
  ...espScenarios.map(pairedByKernel),
  ...espRekeyScenarios.map(pairedByKernel),
  ...espLimitScenarios.map(pairedByKernel),
  ...espPairedScenarios,
  ...fragmentScenarios,
  ...fastPathScenarios,
  ...icmpScenarios,
  ...ikeScenarios,
  ...natScenarios,
  ...pptpScenarios,
  ...pptpLimitScenarios,
  ...pptpSwitchScenarios,
  ...l2tpScenarios,
  ...otherScenarios,
  ...otherTableScenarios,
  ...ipv6Scenarios,
  ...ownTunnelScenarios.map(pairedByKernel),
  ...gatewayScenarios,
  ...sessionScenarios,
  ...nameScenarios,
  ...probeScenarios,
  ...probeHostileScenarios,
  ...reflectorScenarios,
  ...doctorScenarios,
  ...doctorConnectionScenarios,
  ...doctorRefusalScenarios,
  ...doctorStrainScenarios,
  ...doctorSubjectScenarios,
  ...doctorHealthyScenarios,
  ...diagnosisQuietScenarios,
  ...troubleScenarios,
  ...webScenarios,
  ...manualScenarios,
];
