/** A problem that the page explains to its user. */
export class Problem extends Error {}

/** The text of any error. */
export const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
