import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { compress } from "./vite-compress.ts";
import { slim } from "./vite-slim.ts";

const api = process.env.AUTORKE_API ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react(), slim(), compress()],
  build: {
    outDir: "../autorke/web/dist",
    emptyOutDir: true,
    target: "es2022",
    chunkSizeWarningLimit: 700,
    // data: URLs would need a wider CSP
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { port: 5173, proxy: { "/api": { target: api, changeOrigin: false } } },
  test: {
    environment: "jsdom",
    setupFiles: ["src/test/setup.ts"],
    include: ["src/**/*.test.{ts,tsx}"],
    testTimeout: 20_000,
    // Node takes antd's CommonJS copy, and a context is only one where both sides have the same copy.
    alias: { "antd/es/app/context": "antd/lib/app/context" },
    restoreMocks: true,
    maxWorkers: 2,
  },
});
