/** @jest-environment jsdom */
test('is in a page', () => expect(document.body.tagName).toBe('BODY'));
require('./checks.js')('jsdom', require('bptt'));
