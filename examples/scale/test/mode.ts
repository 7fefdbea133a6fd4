/** `SCALE_TESTS=long` runs the tests with more data, and for longer; `SCALE_TESTS=figures` measures. */
export const mode: string = process.env['SCALE_TESTS'] ?? 'short';

export const isLong: boolean = mode === 'long';
