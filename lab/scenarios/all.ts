// Every scenario, in the order in which they are played.
import type { Scenario } from '../scenario.ts';
import { espScenarios } from './esp.ts';
import { gatewayScenarios } from './gateway.ts';
import { natScenarios } from './nat.ts';

export const SCENARIOS: readonly Scenario[] = [...espScenarios, ...natScenarios, ...gatewayScenarios];
