import { fileURLToPath } from 'node:url';
import { defineConfig, type UserConfig } from 'vite';
import { headerOf } from './header';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** One static folder, `dist`, that works from any path. */
const config: UserConfig = defineConfig({
  base: './',
  // The library as published: `npm run build` in the root of the repository writes it.
  resolve: { alias: { 'bptt/onnx': at('../dist/onnx.js'), bptt: at('../dist/index.js') } },
  server: { host: '127.0.0.1', fs: { allow: [at('.'), at('../dist'), at('../examples/voice')] } },
  worker: { format: 'es' },
  plugins: [
    {
      name: 'header',
      transformIndexHtml: (html) =>
        html.replace(/<!-- header: (index|voice|bench) -->/, (_, page: 'index' | 'voice' | 'bench') => headerOf(page)),
    },
  ],
  build: {
    target: 'es2022',
    rolldownOptions: { input: { index: at('index.html'), bench: at('bench.html'), voice: at('voice.html') } },
    chunkSizeWarningLimit: 1500,
  },
});

export default config;
