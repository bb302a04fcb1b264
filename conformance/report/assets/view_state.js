// The view is the URL's hash: filters, search, order, columns, the open check. Links set it, reload restores it.

const FACETS = ["operation", "formulation", "quantity", "dtype", "subject", "verdict", "outcome", "mark", "tags"];
const KNOWN_KEYS = new Set([...FACETS, "case", "q", "sort", "columns", "check", "at", "chart"]);

function parseHash(hash) {
  const text = hash.replace(/^#/, "");
  if (text && !text.includes("=")) return { filters: {}, at: text, plain: true };
  const given = new URLSearchParams(text);
  const filters = {};
  for (const name of [...FACETS, "case"]) {
    const values = given.getAll(name);
    if (values.length) filters[name] = values;
  }
  return {
    filters,
    q: given.get("q") ?? "",
    sort: (given.get("sort") ?? "").split(",").filter(Boolean).map((part) => part.split(":")),
    columns: given.get("columns")?.split(",") ?? null,
    check: given.get("check"),
    at: given.get("at"),
    chart: given.get("chart") ?? "",
  };
}

function formatHash(view) {
  const out = new URLSearchParams();
  for (const name of [...FACETS, "case"]) for (const value of view.filters[name] ?? []) out.append(name, value);
  if (view.q) out.set("q", view.q);
  if (view.sort.length) out.set("sort", view.sort.map((pair) => pair.join(":")).join(","));
  if (view.columns) out.set("columns", view.columns.join(","));
  if (view.chart) out.set("chart", view.chart);
  if (view.check) out.set("check", view.check);
  return out.toString();
}

// What the table shows of a view that names no outcome: what the lesson or the framework leaves out is a click away.
const SHOWN_OUTCOMES = ["discrepancy", "known", "conforms"];

function tableFilters(view) {
  const named = ["outcome", "mark", "verdict", "case"].some((name) => view.filters[name]) || view.q;
  return named ? view.filters : { ...view.filters, outcome: SHOWN_OUTCOMES };
}

const EMPTY = { filters: {}, q: "", sort: [], columns: null, check: null, at: null, chart: "" };
const watchers = [];
let view = { ...EMPTY };

const watch = (callback) => watchers.push(callback);
const tellAll = () => { for (const callback of watchers) callback(view); };

// Changes a part of the view. `push` adds a step to the browser's history; typing does not.
function change(part, push = true) {
  view = { ...view, ...part };
  const hash = formatHash(view);
  const address = hash ? `#${hash}` : location.pathname + location.search;
  history[push ? "pushState" : "replaceState"](null, "", address);
  tellAll();
}

function setFilter(name, values) {
  const filters = { ...view.filters };
  if (values.length) filters[name] = values;
  else delete filters[name];
  change({ filters });
}

// A link to a section or a finding alone keeps the view, and opens what is folded; any other hash is the whole view.
function readHash() {
  const parsed = parseHash(location.hash);
  if (parsed.plain) {
    const target = document.getElementById(parsed.at);
    if (target?.matches("details")) target.open = true;
    return;
  }
  view = { ...EMPTY, ...parsed };
  tellAll();
  if (view.at) document.getElementById(view.at)?.scrollIntoView();
}

function startState() {
  addEventListener("hashchange", readHash);
  addEventListener("popstate", readHash);
  readHash();
}

// The row of chips under the first screen: what is filtered, and how to undo it.
function drawChips() {
  const bar = document.getElementById("filters");
  const chips = [];
  for (const [name, values] of Object.entries(view.filters)) {
    for (const value of values) {
      const short = value.length > 60 ? `${value.slice(0, 59)}…` : value;
      chips.push(make("button", {
        type: "button", class: "chip", "aria-label": `Remove the filter ${name} ${short}`,
        onclick: () => setFilter(name, view.filters[name].filter((other) => other !== value)),
      }, make("small", {}, name), ` ${short} `, make("span", { "aria-hidden": "true" }, "×")));
    }
  }
  if (view.q) {
    chips.push(make("button", { type: "button", class: "chip", onclick: () => change({ q: "" }) },
      make("small", {}, "text"), ` ${view.q} `, make("span", { "aria-hidden": "true" }, "×")));
  }
  bar.hidden = chips.length === 0;
  bar.replaceChildren(make("span", { class: "quiet" }, "Filtered by"), ...chips,
    make("button", { type: "button", class: "chip clear", onclick: () => change({ filters: {}, q: "" }) }, "Clear all"));
}

// Rows and cards of the page that carry data-operation, data-dtype ... follow the filters too.
let sectionsAnswer = "{}"; // the filters that the sections follow: a search or an order leaves them alone

function filterSections() {
  const filters = JSON.stringify(view.filters);
  if (filters === sectionsAnswer) return;
  sectionsAnswer = filters;
  const names = ["operation", "dtype", "subject", "formulation", "quantity", "verdict"];
  for (const element of document.querySelectorAll("[data-operation], [data-subject]")) {
    element.hidden = names.some((name) => {
      const values = element.dataset[name];
      const wanted = view.filters[name];
      return values !== undefined && wanted !== undefined && !values.split("|").some((value) => wanted.includes(value));
    });
  }
  for (const rest of document.querySelectorAll(".rest")) {
    if (names.some((name) => view.filters[name])) rest.open = true; // what a filter leaves is seen
    rest.hidden = ![...rest.children].some((part) => part.matches("[data-operation]:not([hidden])"));
  }
  for (const cell of document.querySelectorAll(".heat .cell")) {
    const filters = new URLSearchParams(cell.hash.slice(1));
    const wanted = ["operation", "subject", "dtype"].filter((name) => view.filters[name]);
    const match = wanted.every((name) => view.filters[name].includes(filters.get(name)));
    cell.classList.toggle("off", wanted.length > 0 && !match);
    cell.classList.toggle("on", wanted.length === 3 && match);
  }
}
