// The stability frontier: one chart a dtype (Vega-Lite), drawn when it comes near the screen.

const INKS = { functional: "#0072b2", module: "#56b4e9", composed: "#009e73", one_hot: "#b8860b", naive: "#d55e00",
  manual: "#b0508c" };
const DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 1, 1, 1], [10, 4]];
const FLOOR = 0.03; // ulps: what is exact is drawn here, a logarithm has no zero

let sweep = null;
let edges = null;
let drawn = [];
let pending = 0;

const column = (name) => sweep.columns.find((one) => one.name === name);
const valueOf = (one, row) => (one.kind === "text" ? one.values[one.codes[row]] : one.values[row]);
const unique = (values) => [...new Set(values)];

function sweepRows() {
  const names = ["case", "operation", "formulation", "dtype", "subject", "gap", "ulp_error", "ulp_bound", "ulp_attainable"];
  const columns_ = names.map((name) => [name, column(name)]);
  return Array.from({ length: sweep.rows }, (_, row) => Object.fromEntries(columns_.map(([name, one]) => [name, valueOf(one, row)])))
    .filter((row) => row.gap > 0);
}

function theme() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  return { ink: read("--ink"), quiet: read("--quiet"), line: read("--line"), panel: read("--panel") };
}

function logAxis(title, type) {
  return { type: "quantitative", scale: { type: "log", nice: type === "y" }, title,
    axis: { grid: type === "y", tickCount: 6, labelOverlap: "greedy",
      labelExpr: "datum.value >= 100000 || datum.value < 0.01 ? format(datum.value, '.0e') : format(datum.value, '~g')" } };
}

// Errors without a number go to the upper edge, zeros to the floor.
function shape(rows) {
  const finite = rows.map((row) => row.ulp_error).filter(Number.isFinite);
  const top = 8 * Math.max(4, ...finite, ...rows.map((row) => row.ulp_bound).filter(Number.isFinite));
  return rows.map((row) => {
    const number = Number.isFinite(row.ulp_error);
    return { ...row, shown: number ? Math.max(row.ulp_error, FLOOR) : top, lost: !number,
      error: number ? shortNumber(row.ulp_error) : "no number",
      bound: Math.max(row.ulp_bound ?? FLOOR, FLOOR), attainable: Math.max(row.ulp_attainable ?? FLOOR, FLOOR) };
  });
}

function chartSpec(rows, dtype, width, subjects) {
  const inks = theme();
  const x = { field: "gap", ...logAxis("logit gap", "x") };
  const colour = { field: "formulation", type: "nominal", legend: null,
    scale: { domain: Object.keys(INKS), range: Object.values(INKS) } };
  const dash = { field: "subject", type: "nominal", legend: null,
    scale: { domain: subjects, range: subjects.map((_, place) => DASHES[place % DASHES.length]) } };
  const limit = (field, strokeDash) => ({
    mark: { type: "line", color: inks.ink, strokeDash, strokeWidth: 2, interpolate: "monotone" },
    encoding: { x, y: { field, aggregate: "max", ...logAxis("error (ulps)", "y") } },
  });
  const [overflow, underflow] = edges[dtype] ?? [];
  const label = (gap, text, dx) => ({ // the labels stand on either side of their lines, which nearly meet
    data: { values: gap ? [{ gap, text }] : [] },
    mark: { type: "text", color: inks.quiet, angle: 270, align: "left", dy: dx, fontSize: 10, y: "height", dx: 6 },
    encoding: { x: { field: "gap", type: "quantitative" }, text: { field: "text" } },
  });
  const marks = [overflow, underflow].filter(Boolean).map((gap) => ({ gap }));
  return {
    width, height: 250, background: "transparent", data: { values: shape(rows) }, autosize: { type: "fit", contains: "padding" },
    description: `Error in ulps over the logit gap in ${dtype}, a line for each formulation and subject, with the bound and the attainable bound.`,
    config: {
      font: "system-ui, sans-serif", view: { stroke: inks.line }, aria: true,
      axis: { labelColor: inks.quiet, titleColor: inks.quiet, gridColor: inks.line, domainColor: inks.quiet, tickColor: inks.line, titleFontWeight: "normal" },
    },
    layer: [
      { data: { values: marks }, mark: { type: "rule", color: inks.quiet, strokeDash: [1, 3] }, encoding: { x: { field: "gap", type: "quantitative" } } },
      label(overflow, "exp overflows", -5), label(underflow, "exp underflows", 11),
      limit("bound", [7, 4]), limit("attainable", [1.5, 3]),
      { mark: { type: "line", strokeWidth: 1.8, opacity: 0.9 },
        encoding: { x, y: { field: "shown", ...logAxis("error (ulps)", "y") }, color: colour, strokeDash: dash, detail: { field: "subject" } } },
      { mark: { type: "point", filled: true, size: 26, opacity: 0.9 },
        encoding: { x, y: { field: "shown", type: "quantitative" }, color: colour,
          shape: { field: "lost", type: "nominal", legend: null, scale: { domain: [false, true], range: ["circle", "M-1,-1L1,1M1,-1L-1,1"] } },
          stroke: colour, opacity: { condition: { test: "datum.lost", value: 1 }, value: 0.35 },
          tooltip: [{ field: "formulation" }, { field: "subject" }, { field: "gap", format: ".6~g" }, { field: "error", title: "ulps" },
            { field: "ulp_bound", title: "bound", format: ".4~g" }, { field: "ulp_attainable", title: "attainable", format: ".4~g" }] } },
    ],
  };
}

function legendBox(kind, name, chosen, swatch) {
  return make("label", { class: "swatch" }, make("input", {
    type: "checkbox", value: name, checked: chosen.includes(name), "data-kind": kind,
    onchange: () => {
      const boxes = [...document.querySelectorAll(`#frontier-view input[data-kind="${kind}"]`)];
      const on = boxes.filter((box) => box.checked).map((box) => box.value);
      setFilter(kind, on.length === boxes.length ? [] : on);
    },
  }), swatch, name);
}

function line(colour, dash) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("width", "28");
  svg.setAttribute("height", "8");
  svg.setAttribute("aria-hidden", "true");
  const stroke = document.createElementNS("http://www.w3.org/2000/svg", "line");
  for (const [name, value] of Object.entries({ x1: 0, x2: 28, y1: 4, y2: 4, stroke: colour, "stroke-width": 2.5, "stroke-dasharray": dash.join(" ") })) {
    stroke.setAttribute(name, value);
  }
  svg.append(stroke);
  return svg;
}

const allowed = (name, value) => !view.filters[name] || view.filters[name].includes(value);

async function drawFrontier() {
  const turn = (pending += 1);
  const rows = sweepRows();
  const place = document.getElementById("frontier-view");
  const cases = unique(rows.map((row) => row.case)).filter((name) => rows.some((row) => row.case === name && allowed("operation", row.operation)));
  place.hidden = cases.length === 0;
  if (!cases.length) return;
  const chosen = cases.includes(view.chart) ? view.chart : cases[0];
  const own = rows.filter((row) => row.case === chosen);
  const subjects = unique(own.map((row) => row.subject));
  const formulations = unique(own.map((row) => row.formulation));
  const select_ = make("select", { id: "chart-case", onchange: (event) => change({ chart: event.target.value }) },
    ...cases.map((name) => make("option", { value: name, selected: name === chosen }, `${rows.find((row) => row.case === name).operation}: ${name}`)));
  const focused = document.activeElement?.closest("#frontier-view") ? document.activeElement : null;
  const held = focused && [focused.id, focused.value, focused.dataset.kind];
  const charts = make("div", { class: "charts" });
  place.replaceChildren(make("div", { class: "controls" }, make("label", {}, "Sweep ", select_),
    make("fieldset", {}, make("legend", {}, "formulation"), ...formulations.map((name) => legendBox("formulation", name,
      formulations.filter((one) => allowed("formulation", one)), line(INKS[name] ?? "currentColor", [1, 0])))),
    make("fieldset", {}, make("legend", {}, "subject"), ...subjects.map((name, at) => legendBox("subject", name,
      subjects.filter((one) => allowed("subject", one)), line("currentColor", DASHES[at % DASHES.length])))),
    make("p", { class: "keys" }, line("currentColor", [7, 4]), " bound ", line("currentColor", [1.5, 3]), " attainable")), charts);
  if (held) [...place.querySelectorAll("input, select")].find((one) => (held[0] ? one.id === held[0] : one.value === held[1] && one.dataset.kind === held[2]))?.focus();
  for (const old of drawn) old.finalize();
  drawn = [];
  const width = Math.max(240, (charts.clientWidth - (charts.clientWidth > 720 ? 32 : 0)) / (charts.clientWidth > 720 ? 2 : 1) - 2);
  for (const dtype of DTYPES.filter((name) => allowed("dtype", name))) {
    const shown = own.filter((row) => row.dtype === dtype && allowed("formulation", row.formulation) && allowed("subject", row.subject));
    if (!shown.length || turn !== pending) continue;
    const holder = make("div", {});
    charts.append(make("figure", {}, make("figcaption", {}, dtype), holder));
    const dark = document.documentElement.dataset.theme === "dark";
    drawn.push(await vegaEmbed(holder, chartSpec(shown, dtype, width, subjects), {
      mode: "vega-lite", renderer: "svg", actions: false, tooltip: { theme: dark ? "dark" : "light" },
    }));
  }
}

async function startFrontier() {
  if (!document.getElementById("data-sweep")) return;
  const place = document.getElementById("frontier-view");
  place.hidden = false;
  const start = async () => {
    [sweep, edges] = await Promise.all([unpackColumns("sweep"), unpackJson("edges"), unpackModule("vega")]);
    watch(drawFrontier);
    new MutationObserver(drawFrontier).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    let timer = 0;
    addEventListener("resize", () => { clearTimeout(timer); timer = setTimeout(drawFrontier, 150); });
    await drawFrontier();
  };
  const near = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    near.disconnect();
    start().catch(failed);
  }, { rootMargin: "600px" });
  near.observe(place);
}
