/** This machine cannot put up what a step needs, whatever the package is like: the step is left out, and that is said. */
export class CannotPlay extends Error {}
