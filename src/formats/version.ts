/** The version that files say they were written by. */

/** That of package.json. */
export const version = '0.2.0';
