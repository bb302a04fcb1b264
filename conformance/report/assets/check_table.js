// All checks: the facets, the search, the table of virtual rows (DataTables), column choice and CSV.

const SHOWN = ["verdict", "case", "operation", "formulation", "quantity", "dtype", "subject", "digits_right", "ulp_error",
  "ulp_bound", "observed", "exact"];
// Of a laptop's width: the case says the operation already.
const SHOWN_MEDIUM = SHOWN.filter((name) => name !== "operation" && name !== "ulp_bound");
const SHOWN_NARROW = ["verdict", "case", "subject", "dtype", "ulp_error"];
const WIDTHS = { case: 10.2, operation: 9.2, formulation: 7, quantity: 7.7, dtype: 5.2, subject: 6.4, verdict: 9.1, observed: 6,
  exact: 5.7, ulp_error: 4.6, ulp_bound: 4.6, ulp_attainable: 6, message: 20, known: 20, why: 16, source: 14, file: 14, bits: 10, tags: 8, framework_version: 7 };
const WIDTHS_NARROW = { case: 8 };

const OUTCOME_TITLES = { discrepancy: "discrepancies", "no verdict": "not offered" };
const MARK_MEANING = "conforms with no digit right: the bound of a stable algorithm allows an error as large as the value";

let checks = null;
let table = null;
let DataTable = null;
let drawnColumns = [];
let selection = null;
let asked = ""; // the filters, search and order that the selection answers

const narrow = matchMedia("(max-width: 40rem)");
const medium = matchMedia("(max-width: 90rem)");
const defaultColumns = () => (narrow.matches ? SHOWN_NARROW : medium.matches ? SHOWN_MEDIUM : SHOWN);
const shownColumns = () => (view.columns ?? defaultColumns()).filter((name) => checks.names.includes(name));
const facetNames = () => FACETS.filter((name) => checks.columns.has(name) && name !== "outcome" && name !== "mark");

function select() {
  const question = JSON.stringify([view.filters, view.q, view.sort]);
  if (question !== asked) {
    selection = checks.select(tableFilters(view), view.q, view.sort);
    asked = question;
  }
  return selection;
}

function verdictBadge(name) {
  return make("span", { class: `verdict v-${name.replaceAll(" ", "-")}` },
    make("span", { "aria-hidden": "true" }, SYMBOLS[name] ?? "?"), ` ${name}`);
}

const FIGURES = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });

function shortNumber(value) {
  if (value === null) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value !== 0 && (Math.abs(value) >= 1e6 || Math.abs(value) < 1e-3)) return value.toExponential(1).replace("+", "");
  return FIGURES.format(value);
}

// The verdict, and beside it the mark of a check that conforms with no digit right.
function verdictCell(row) {
  const badge = verdictBadge(checks.text("verdict", row));
  if (checks.text("mark", row) === "") return badge;
  const mark = make("span", { class: "no-digit", title: MARK_MEANING }, make("span", { "aria-hidden": "true" }, "0"), make("span", { class: "only-read" }, ` ${NO_DIGIT}`));
  return make("span", { class: "nowrap" }, badge, " ", mark);
}

const DIGITS = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

// A number's text: digits to a tenth, an error at an exact 0 as an absolute number, all else in four figures.
function figure(name, row) {
  const value = checks.number(name, row);
  if (name === "digits_right" && value !== null) return DIGITS.format(value);
  const absolute = name === "ulp_error" ? checks.absoluteError(row) : null;
  return absolute ? `${shortNumber(absolute)} abs.` : shortNumber(value);
}

// A cell as a node: text is set as text, cut where a row would burst.
function drawCell(name, row) {
  const text = checks.text(name, row);
  if (name === "verdict") return verdictCell(row);
  if (name === "case") {
    const link = make("a", { href: `#${formatHash({ ...view, check: keyOf(checks, row) })}`, class: "open" }, text.slice(0, 120));
    link.title = text.slice(0, 400);
    return link;
  }
  const column = checks.columns.get(name);
  const shown = column.kind === "number" ? figure(name, row) : text.slice(0, 120);
  const node = make("span", { class: "cut" }, shown);
  if (text.length > 18) node.title = text.slice(0, 400);
  return node;
}

// Pins of a framework differ at their ends: the column of subjects is as wide as the longest of them.
function widthOf(name) {
  const width = (narrow.matches && WIDTHS_NARROW[name]) || (WIDTHS[name] ?? 6.5);
  if (name !== "subject") return width;
  const longest = Math.max(...checks.columns.get(name).values.map((text) => text.length));
  return Math.min(Math.max(width, 1.4 + 0.48 * longest), 14);
}

function columnDefinitions() {
  return drawnColumns.map((name) => ({
    name,
    title: name.replaceAll("_", " "),
    width: `${widthOf(name)}rem`,
    className: checks.columns.get(name).kind === "number" ? "right" : "",
    data: null,
    render: (data, type, entry) => (type === "display" ? drawCell(name, entry.row) : ""),
  }));
}

const orderOf = (sort) => sort.filter(([name]) => drawnColumns.includes(name)).map(([name, way]) => [drawnColumns.indexOf(name), way]);
const shownOrder = () => table.order().filter(([, way]) => way).map(([index, way]) => [drawnColumns[index], way]);
const sameOrder = (a, b) => JSON.stringify(a) === JSON.stringify(b);

// The library draws the rows in sight and asks the column store for them; only the columns shown exist for it.
function buildTable() {
  const holder = document.getElementById("checks-table-place");
  table?.destroy(true);
  drawnColumns = shownColumns();
  const element = make("table", { class: "checks-table", id: "checks-table" });
  holder.replaceChildren(element);
  table = new DataTable(element, {
    serverSide: true,
    ajax: (request, answer) => {
      const { rows } = select();
      answer({
        draw: request.draw,
        recordsTotal: checks.count,
        recordsFiltered: rows.length,
        data: rows.slice(request.start, request.start + request.length).map((row) => ({ row })),
      });
    },
    columns: columnDefinitions(),
    order: orderOf(view.sort),
    searching: false,
    autoWidth: false,
    scrollX: true,
    scrollY: "min(36rem, 70vh)",
    scroller: { serverWait: 0, rowHeight: 36, loadingIndicator: false, displayBuffer: 1.5 },
    layout: { topStart: null, topEnd: null, bottomStart: "info", bottomEnd: null },
    language: {
      info: "_START_ to _END_ of _TOTAL_ checks", infoEmpty: "No check", infoFiltered: "(of _MAX_)",
      zeroRecords: "No check matches. Remove a filter above.", emptyTable: "No check matches. Remove a filter above.",
    },
  });
  table.on("order.dt", () => {
    const hidden = view.sort.filter(([name]) => !drawnColumns.includes(name));
    const sort = shownOrder();
    if (!sameOrder(sort, view.sort.filter(([name]) => drawnColumns.includes(name)))) change({ sort: sort.length ? sort : hidden });
  });
  const body = holder.querySelector(".dt-scroll-body");
  body?.setAttribute("tabindex", "0");
  body?.setAttribute("role", "region");
  body?.setAttribute("aria-label", "Checks");
}

function drawTable() {
  if (!sameOrder(shownColumns(), drawnColumns)) {
    buildTable();
    return;
  }
  const order = orderOf(view.sort);
  if (!sameOrder(table.order().filter(([, way]) => way), order)) table.order(order);
  table.draw();
}

// A button an outcome, pressed where its checks are shown, and one for what conforms with no digit right.
function drawOutcomes() {
  const filters = tableFilters(view);
  const shown = filters.outcome ?? OUTCOMES;
  const counts = new Map(checks.tally("outcome", select()));
  const toggled = (name) => OUTCOMES.filter((other) => (other === name) !== shown.includes(other));
  const button = (name, count, pressed, onclick, title) => make("button", { type: "button", class: "outcome", "aria-pressed": String(pressed), onclick, title },
    `${OUTCOME_TITLES[name] ?? name} `, make("small", {}, count.toLocaleString("en")));
  const marked = Boolean(filters.mark);
  const marks = new Map(checks.tally("mark", select()));
  document.getElementById("outcomes").replaceChildren(
    ...OUTCOMES.map((name) => button(name, counts.get(name) ?? 0, shown.includes(name), () => setFilter("outcome", toggled(name)))),
    button(NO_DIGIT, marks.get(NO_DIGIT) ?? 0, marked, () => setFilter("mark", marked ? [] : [NO_DIGIT]), MARK_MEANING));
}

// Every facet says how many of its values are chosen; only an open one counts and lists them.
function drawFacets() {
  for (const name of facetNames()) {
    const holder = document.getElementById(`facet-${name}`);
    const chosen = view.filters[name] ?? [];
    holder.hidden = checks.columns.get(name).values.length < 2 && !chosen.length;
    holder.querySelector("summary").replaceChildren(name, chosen.length ? make("b", {}, ` ${chosen.length}`) : "");
    if (holder.open) drawChoices(holder, name, chosen);
  }
}

function drawChoices(holder, name, chosen) {
  const focused = holder.contains(document.activeElement) ? document.activeElement.value : null;
  const entries = checks.tally(name, select()).filter(([value, count]) => count || chosen.includes(value));
  holder.querySelector(".choices").replaceChildren(...entries.map(([value, count]) => make("label", {},
    make("input", {
      type: "checkbox", value, checked: chosen.includes(value),
      onchange: (event) => setFilter(name, event.target.checked
        ? [...(view.filters[name] ?? []), value] : (view.filters[name] ?? []).filter((other) => other !== value)),
    }),
    name === "verdict" ? verdictBadge(value) : make("span", { class: "cut" }, value.slice(0, 80)),
    make("small", {}, count.toLocaleString("en")))));
  if (focused !== null) [...holder.querySelectorAll("input")].find((box) => box.value === focused)?.focus();
}

function drawColumns() {
  if (!document.getElementById("facet-columns").open) return;
  const shown = shownColumns();
  document.querySelector("#facet-columns .choices").replaceChildren(...checks.names.map((name) => make("label", {},
    make("input", {
      type: "checkbox", value: name, checked: shown.includes(name),
      onchange: (event) => change({
        columns: checks.names.filter((other) => (other === name ? event.target.checked : shownColumns().includes(other))),
      }),
    }), make("span", {}, name.replaceAll("_", " ")))));
}

function download() {
  const names = shownColumns();
  const blob = new Blob([toCsv(checks, select().rows, names)], { type: "text/csv;charset=utf-8" });
  const address = URL.createObjectURL(blob);
  make("a", { href: address, download: "checks.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
  say(`${select().rows.length.toLocaleString("en")} checks written to checks.csv`);
}

// A popover opens to the right of its button, to the left where it would leave the page.
function popover(name, title, extra = {}) {
  const draw = ({ currentTarget: holder }) => {
    if (name === "columns") drawColumns();
    else drawFacets();
    const { right } = holder.querySelector(".choices").getBoundingClientRect();
    if (holder.open && right > document.documentElement.clientWidth) holder.classList.add("end");
  };
  return make("details", { class: "facet", id: `facet-${name}`, ontoggle: draw, ...extra }, make("summary", {}, title),
    make("div", { class: "choices", role: "group", "aria-label": title }));
}

function buildControls() {
  let timer = 0;
  const search = make("input", {
    type: "search", id: "search", placeholder: "Search texts", "aria-label": "Search the texts of every column", autocomplete: "off",
    oninput: () => { clearTimeout(timer); timer = setTimeout(() => change({ q: search.value }, false), 80); },
  });
  const container = document.getElementById("checks-view");
  container.append(
    make("div", { class: "controls" }, search, ...facetNames().map((name) => popover(name, name)),
      popover("columns", "columns", { class: "facet end" })),
    make("div", { class: "controls", id: "outcomes", role: "group", "aria-label": "Outcomes shown" }),
    make("div", { class: "controls tools" },
      make("p", { id: "checks-count", class: "quiet", role: "status" }),
      make("button", { type: "button", id: "copy-link", onclick: () => copyText(location.href, "Link copied") }, "Copy link"),
      make("button", { type: "button", id: "download", onclick: download }, "Download CSV")),
    make("div", { id: "checks-table-place" }));
  const closeOthers = (event) => {
    for (const open of document.querySelectorAll(".facet[open]")) if (!open.contains(event.target)) open.open = false;
  };
  addEventListener("click", closeOthers);
  addEventListener("focusin", closeOthers);
  addEventListener("keydown", (event) => {
    const open = event.key === "Escape" && document.querySelector(".facet[open]");
    if (open) { open.open = false; open.querySelector("summary").focus(); }
  });
}

function drawChecks() {
  const { rows } = select();
  const search = document.getElementById("search");
  if (document.activeElement !== search) search.value = view.q;
  const part = rows.length === checks.count ? "" : ` of ${checks.count.toLocaleString("en")}`;
  document.getElementById("checks-count").textContent = `${rows.length.toLocaleString("en")}${part} checks`;
  drawTable();
  drawOutcomes();
  drawFacets();
  drawColumns();
}

async function startChecks() {
  const [data, library] = await Promise.all([unpackColumns("checks"), unpackModule("datatables")]);
  checks = new Checks(data);
  document.getElementById("checks-loading").hidden = true;
  document.getElementById("checks-view").hidden = false;
  buildControls();
  select();
  DataTable = library.jQuery.fn.dataTable;
  buildTable();
  watch(drawChecks);
  drawChecks();
}
