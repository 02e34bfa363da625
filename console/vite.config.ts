import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// While developing, pages come from Vite and data from a running service.
const service = process.env['QUINTET_URL'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [react()],
  build: {
    // Chunks change at different speeds: the libraries seldom, the pages often.
    // The chart library is left to its own chunk, which comes with the first chart.
    rollupOptions: {
      output: {
        manualChunks(id: string) {
          if (/node_modules\/@(mantine|floating-ui)\//.test(id)) return 'mantine';
          if (/node_modules\/(react|react-dom|scheduler|react-router|@tanstack)\//.test(id)) return 'react';
          return undefined;
        },
      },
    },
    chunkSizeWarningLimit: 900,
    assetsInlineLimit: 0,
  },
  server: {
    proxy: Object.fromEntries(
      ['/v1', '/auth', '/healthz', '/readyz', '/openapi.json', '/docs'].map((path) => [path, { target: service }]),
    ),
  },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
