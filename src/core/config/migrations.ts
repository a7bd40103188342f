// How a configuration of an older version becomes one of the next, as data: each step is a pure
// function from the plain value of version `from` to that of version `from + 1`. A released step
// is never changed; its test holds a file as that release wrote it.
export interface Migration {
  readonly from: number;
  readonly migrate: (value: Record<string, unknown>) => Record<string, unknown>;
}

/** Version 1 is the first, so there is no step yet. */
export const migrations: readonly Migration[] = [];

/** Takes every step that `steps` has for the value's version; what is not a versioned map stays as it is. */
export function migrate(value: unknown, steps: readonly Migration[] = migrations): unknown {
  let current = value;
  for (;;) {
    if (typeof current !== 'object' || current === null) return current;
    const version = (current as Record<string, unknown>)['version'];
    const step = steps.find((one) => one.from === version);
    if (!step) return current;
    current = { ...step.migrate(current as Record<string, unknown>), version: step.from + 1 };
  }
}
