require('./checks.js')('CommonJS', require('bptt'));
