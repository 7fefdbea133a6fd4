/** `SCALE_TESTS=long` runs the tests with more data, and for longer. */
export const isLong: boolean = process.env['SCALE_TESTS'] === 'long';
