"use strict";

// The header keeps pages of other sites out: a browser does not let them send it.
const CHANGE = { "X-Sim": "1" };
const WORDS = {
  en: {
    title: "Break a machine", language: "中文",
    about: "These machines are simulated. Break one, run a ticket on it in AutoRke, see it fail, mend it, retry.",
    q: "Name or address", onlyBroken: "only broken ones", caption: (n, all) => `${n} of ${all} machines`,
    columns: ["Machine", "Address", "Use", "Broken", "Break it", "Mend it"],
    dark: "dark", breakIt: "Break", mend: "Mend", choose: "how…", kinds: "Ways to break, and what AutoRke then shows",
    broke: (name, kind) => `${name}: ${kind}`, mended: (name) => `${name} is mended`, which: (name) => `How to break ${name}`,
  },
  zh: {
    title: "弄坏一台机器", language: "English",
    about: "这里的机器都是模拟的。弄坏一台，在 AutoRke 里对它执行工单，看它失败，修好它，再重试。",
    q: "名称或地址", onlyBroken: "只看已坏的", caption: (n, all) => `共 ${all} 台，显示 ${n} 台`,
    columns: ["机器", "地址", "用途", "故障", "弄坏", "修好"],
    dark: "断电", breakIt: "弄坏", mend: "修好", choose: "选择方式…", kinds: "故障方式，以及 AutoRke 会显示什么",
    broke: (name, kind) => `${name}：${kind}`, mended: (name) => `${name} 已修好`, which: (name) => `如何弄坏 ${name}`,
  },
};

const at = (id) => document.getElementById(id);
let language = navigator.language.startsWith("zh") ? "zh" : "en";
let kinds = [];
let asked = 0;

function make(tag, text, attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

const nameOf = (kind) => kinds.find((found) => found.kind === kind)?.[language] ?? kind;

async function send(method, path) {
  const answer = await fetch(`/break/${path}`, { method, headers: method === "GET" ? {} : CHANGE });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error);
  return body;
}

async function change(method, path, said) {
  try {
    await send(method, path);
    at("said").textContent = said;
  } catch (error) {
    at("said").textContent = String(error.message);
  }
  await load();
}

function row(machine, of, use) {
  const words = WORDS[language];
  const line = document.createElement("tr");
  const broken = machine.broken.map(nameOf);
  if (machine.dead && broken.length === 0) broken.push(words.dark);
  const select = make("select", "", { "aria-label": words.which(machine.name) });
  select.append(make("option", words.choose, { value: "" }));
  for (const kind of kinds) {
    if (kind.of === of && !machine.broken.includes(kind.kind)) select.append(make("option", kind[language], { value: kind.kind }));
  }
  const name = encodeURIComponent(machine.name);
  const strike = make("button", words.breakIt, { type: "button" });
  strike.addEventListener("click", () => {
    if (select.value) change("POST", `${name}/${select.value}`, words.broke(machine.name, nameOf(select.value)));
  });
  const act = make("td", "", { class: "act" });
  act.append(select, " ", strike);
  const last = document.createElement("td");
  if (broken.length > 0) {
    const mend = make("button", words.mend, { type: "button", "aria-label": `${words.mend} ${machine.name}` });
    mend.addEventListener("click", () => change("DELETE", name, words.mended(machine.name)));
    last.append(mend);
  }
  line.append(
    make("th", machine.name, { scope: "row" }), make("td", machine.address ?? ""), make("td", use ?? ""),
    make("td", broken.join(", "), { class: "broken" }), act, last,
  );
  return line;
}

async function load() {
  const turn = ++asked;
  const query = new URLSearchParams({ q: at("q").value, broken: at("broken").checked ? "1" : "" });
  const found = await send("GET", `machines?${query}`);
  if (turn !== asked) return;
  const rows = found.machines.map((machine) => row(machine, "machine", machine.use));
  if ("cmdb".includes(at("q").value.trim().toLowerCase())) rows.unshift(row({ name: "cmdb", broken: found.cmdb }, "cmdb", "CMDB"));
  at("rows").replaceChildren(...rows);
  at("caption").textContent = WORDS[language].caption(found.machines.length, found.total);
}

function say() {
  const words = WORDS[language];
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = `AutoRke demo: ${words.title}`;
  for (const [id, text] of Object.entries({
    title: words.title, about: words.about, language: words.language, "q-label": words.q,
    "broken-label": words.onlyBroken, "kinds-title": words.kinds,
  })) at(id).textContent = text;
  at("columns").replaceChildren(...words.columns.map((text) => make("th", text, { scope: "col" })));
  at("kinds").replaceChildren(...kinds.flatMap((kind) => {
    const term = make("dt", kind[language]);
    term.append(" ", make("code", kind.kind));
    return [term, make("dd", kind[`seen_${language}`])];
  }));
  return load();
}

at("search").addEventListener("submit", (event) => event.preventDefault());
at("q").addEventListener("input", load);
at("broken").addEventListener("change", load);
at("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  say();
});

send("GET", "kinds").then((found) => {
  kinds = found;
  return say();
});
