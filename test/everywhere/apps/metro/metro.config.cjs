const { dirname, resolve } = require('node:path');

const tools = resolve(__dirname, '../../../node_modules');

module.exports = {
  projectRoot: __dirname,
  watchFolders: [dirname(__dirname), tools],
  resolver: { nodeModulesPaths: [tools] },
  transformer: { babelTransformerPath: require.resolve('@react-native/metro-babel-transformer') },
};
