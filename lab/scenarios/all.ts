// Every scenario, in the order in which they are played.
import type { Scenario } from '../scenario.ts';
import { espScenarios } from './esp.ts';

export const SCENARIOS: readonly Scenario[] = [...espScenarios];
