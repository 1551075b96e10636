import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { compress } from "./vite-compress.ts";
import { slim } from "./vite-slim.ts";

const api = process.env.AUTORKE_API ?? "http://127.0.0.1:8000";

/** What the first page of every visit needs; a file each would cost its headers, and small ones compress worse. */
const FRAME = [
  /node_modules\/(react|react-dom|scheduler|react-i18next|i18next|use-sync-external-store|stylis|clsx|@babel\/runtime)\//,
  /node_modules\/@tanstack\/(react-router|router-core|history|store|react-store|react-query|query-core)\//,
  /node_modules\/@tanstack\/(react-virtual|virtual-core|react-table|table-core)\//,
  /node_modules\/@ant-design\/(cssinjs|cssinjs-utils|colors|fast-color)\//,
  /node_modules\/@rc-component\/(util|motion|trigger|resize-observer|portal|tooltip)\//,
  /node_modules\/antd\/es\/(theme|style|config-provider|button|tooltip|popover|tag|spin|_util|flex|alert)\//,
  /\/(Sync|ClockCircle|CaretUp|Search|Download|Check|Plus|Close|More)Outlined\.js$/,
  /\/src\/(api|lib)\/|\/src\/components\/(state-tag|time-text|page-header|empty-state|retry-button|problem-alert|menu-button)\.tsx$/,
];

export default defineConfig({
  plugins: [react(), slim(), compress()],
  build: {
    outDir: "../autorke/web/dist",
    emptyOutDir: true,
    target: "es2022",
    chunkSizeWarningLimit: 800,
    // data: URLs would need a wider CSP
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        codeSplitting: { groups: [{ name: "frame", test: (id) => FRAME.some((one) => one.test(id)) }] },
      },
    },
  },
  server: { port: 5173, proxy: { "/api": { target: api, changeOrigin: false } } },
  test: {
    environment: "jsdom",
    setupFiles: ["src/test/setup.ts"],
    include: ["src/**/*.test.{ts,tsx}"],
    // A test waits for what it means (see src/test/setup.ts); these end only one that hangs, on a slow machine too.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    env: { TZ: "UTC" },
    // Node takes antd's CommonJS copy, and a context is only one where both sides have the same copy.
    alias: { "antd/es/app/context": "antd/lib/app/context" },
    restoreMocks: true,
    maxWorkers: 2,
  },
});
