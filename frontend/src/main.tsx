import "./api/http";
import "./app/styles.css";
import { createRoot } from "react-dom/client";
import { App } from "./app/app";
import { startI18n } from "./lib/i18n";

const root = document.getElementById("root");
if (root) void startI18n().then(() => createRoot(root).render(<App />));
