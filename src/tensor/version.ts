/**
 * The version of the library, which is recorded in saved and exported files, and by which copies of it recognize each
 * other.
 */

/** Equal to `version` in package.json. */
export const version = '0.2.0';
