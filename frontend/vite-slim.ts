/** Leaves out what libraries carry along unused, so that a first page is small. */
import type { Plugin } from "vite";

/** antd's context of forms takes one provider from a package whose index ties all of it together (40 KB, a validator
 * included), and nearly every component of antd reads that context. */
export function slim(): Plugin {
  return {
    name: "slim",
    apply: "build",
    enforce: "pre",
    resolveId(source, importer) {
      if (source !== "@rc-component/form" || !importer?.endsWith("/antd/es/form/context.js")) return null;
      return this.resolve("@rc-component/form/es/FormContext", importer, { skipSelf: true });
    },
  };
}
