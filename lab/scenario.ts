// What a scenario is: the number of a case, a sentence, and a play that throws Disproved when the
// case does not hold. Each is given a household of its own.
import type { Household, HouseholdOptions } from './topologies/household.ts';

export interface Scenario {
  /** As in the list of cases, such as `E3`. */
  readonly id: string;
  readonly title: string;
  readonly household?: HouseholdOptions;
  /** How long it may take, where that is more than usual: what waits for a time that real things take. */
  readonly limitMs?: number;
  play(household: Household): Promise<void>;
}

/** A scenario; the play's claims are its test. */
export function scenario(
  id: string,
  title: string,
  play: (household: Household) => Promise<void>,
  household: HouseholdOptions = {},
): Scenario {
  return { id, title, play, household };
}

/** The same, with the daemon's pairing off: what the kernel's rules do alone, as when no daemon lives. */
export function pairedByKernel(one: Scenario): Scenario {
  return { ...one, household: { ...one.household, pairing: 'kernel' } };
}
