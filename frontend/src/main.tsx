import "./api/http";
import "./app/styles.css";
import { createRoot } from "react-dom/client";
import { App } from "./app/app";
import { startI18n } from "./lib/i18n";

// A page that was open while a new version was installed asks for chunks that are gone.
window.addEventListener("vite:preloadError", () => window.location.reload());

const root = document.getElementById("root");
if (root) void startI18n().then(() => createRoot(root).render(<App />));
