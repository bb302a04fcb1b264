// All checks: the facets, the search, the table of virtual rows (DataTables), column choice and CSV.

const SHOWN = ["verdict", "case", "operation", "formulation", "quantity", "dtype", "subject", "ulp_error", "ulp_bound",
  "observed", "exact"];
const SHOWN_NARROW = ["case", "dtype", "subject", "verdict", "ulp_error"];
const WIDTHS = { case: 15, operation: 11, formulation: 7.5, quantity: 8, dtype: 5.8, subject: 7, verdict: 7.5, observed: 10,
  exact: 12, ulp_error: 6, ulp_bound: 6, message: 20, known: 20, why: 16, source: 14, file: 14, bits: 10, tags: 8, framework_version: 7 };
const SYMBOLS = JSON.parse(document.getElementById("symbols").textContent);

let checks = null;
let table = null;
let selection = null;
let asked = ""; // the filters, search and order that the selection answers

const narrow = matchMedia("(max-width: 40rem)");
const shownColumns = () => (view.columns ?? (narrow.matches ? SHOWN_NARROW : SHOWN)).filter((name) => checks.names.includes(name));
const facetNames = () => FACETS.filter((name) => checks.columns.has(name));

function select() {
  const question = JSON.stringify([view.filters, view.q, view.sort]);
  if (question !== asked) {
    selection = checks.select(view.filters, view.q, view.sort);
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
  if (value !== 0 && (Math.abs(value) >= 1e6 || Math.abs(value) < 1e-3)) return value.toExponential(2);
  return FIGURES.format(value);
}

// A cell as a node: text is set as text, cut where a row would burst.
function drawCell(name, row) {
  const text = checks.text(name, row);
  if (name === "verdict") return verdictBadge(text);
  if (name === "case") {
    const link = make("a", { href: `#${formatHash({ ...view, check: keyOf(checks, row) })}`, class: "open" }, text.slice(0, 120));
    link.title = text.slice(0, 400);
    return link;
  }
  const column = checks.columns.get(name);
  const shown = column.kind === "number" ? shortNumber(column.values[row]) : text.slice(0, 120);
  const node = make("span", { class: "cut" }, shown);
  if (text.length > 18) node.title = text.slice(0, 400);
  return node;
}

function columnDefinitions() {
  return checks.names.map((name) => ({
    name,
    title: name.replaceAll("_", " "),
    width: `${WIDTHS[name] ?? 6.5}rem`,
    className: checks.columns.get(name).kind === "number" ? "right" : "",
    visible: shownColumns().includes(name),
    data: null,
    render: (data, type, entry) => (type === "display" ? drawCell(name, entry.row) : checks.text(name, entry.row)),
  }));
}

const orderOf = (sort) => sort.filter(([name]) => checks.names.includes(name)).map(([name, way]) => [checks.names.indexOf(name), way]);

function buildTable(DataTable) {
  const element = make("table", { class: "checks-table", id: "checks-table" });
  document.getElementById("checks-table-place").append(element);
  table = new DataTable(element, {
    serverSide: true, // the engine above is the source; the library asks it for the rows in sight
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
    scroller: { serverWait: 0, rowHeight: 36, loadingIndicator: false },
    layout: { topStart: null, topEnd: null, bottomStart: "info", bottomEnd: null },
    language: {
      info: "_START_ to _END_ of _TOTAL_ checks", infoEmpty: "No check", infoFiltered: "(of _MAX_)",
      zeroRecords: "No check matches. Remove a filter above.", emptyTable: "No check matches. Remove a filter above.",
    },
  });
  table.on("order.dt", () => {
    const sort = table.order().filter(([, way]) => way).map(([place, way]) => [checks.names[place], way]);
    if (JSON.stringify(sort) !== JSON.stringify(view.sort)) change({ sort });
  });
  const body = document.querySelector("#checks-table-place .dt-scroll-body");
  body?.setAttribute("tabindex", "0");
  body?.setAttribute("role", "region");
  body?.setAttribute("aria-label", "Checks");
}

function drawTable() {
  const names = shownColumns();
  checks.names.forEach((name, place) => {
    const column = table.column(place);
    if (column.visible() !== names.includes(name)) column.visible(names.includes(name), false);
  });
  table.columns.adjust();
  if (JSON.stringify(table.order().filter(([, way]) => way)) !== JSON.stringify(orderOf(view.sort))) table.order(orderOf(view.sort));
  table.draw();
}

function drawFacets() {
  for (const name of facetNames()) {
    const holder = document.getElementById(`facet-${name}`);
    const chosen = view.filters[name] ?? [];
    const entries = checks.tally(name, selection).filter(([value, count]) => count || chosen.includes(value));
    holder.hidden = entries.length < 2 && !chosen.length;
    holder.querySelector("summary").replaceChildren(name, chosen.length ? make("b", {}, ` ${chosen.length}`) : "");
    const focused = document.activeElement?.value;
    const within = holder.contains(document.activeElement);
    const boxes = entries.map(([value, count]) => make("label", {},
      make("input", {
        type: "checkbox", value, checked: chosen.includes(value),
        onchange: (event) => setFilter(name, event.target.checked
          ? [...(view.filters[name] ?? []), value] : (view.filters[name] ?? []).filter((other) => other !== value)),
      }),
      name === "verdict" ? verdictBadge(value) : make("span", { class: "cut" }, value.slice(0, 80)),
      make("small", {}, count.toLocaleString("en"))));
    holder.querySelector(".choices").replaceChildren(...boxes);
    if (within) [...holder.querySelectorAll("input")].find((box) => box.value === focused)?.focus();
  }
}

function drawColumns() {
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

function popover(name, title, extra = {}) {
  return make("details", { class: "facet", id: `facet-${name}`, ...extra }, make("summary", {}, title),
    make("div", { class: "choices", role: "group", "aria-label": title }));
}

function buildControls() {
  let timer = 0;
  const search = make("input", {
    type: "search", id: "search", placeholder: "Search texts", "aria-label": "Search the texts of every column", autocomplete: "off",
    oninput: () => { clearTimeout(timer); timer = setTimeout(() => change({ q: search.value }, false), 80); },
  });
  const view_ = document.getElementById("checks-view");
  view_.append(
    make("div", { class: "controls" }, search, ...facetNames().map((name) => popover(name, name)),
      popover("columns", "columns", { class: "facet end" }),
      make("button", { type: "button", id: "download", onclick: download }, "Download CSV"),
      make("button", { type: "button", id: "copy-link", onclick: () => copyText(location.href, "Link copied") }, "Copy link")),
    make("p", { id: "checks-count", class: "quiet", role: "status" }),
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
  buildTable(library.jQuery.fn.dataTable);
  watch(drawChecks);
  drawChecks();
}
