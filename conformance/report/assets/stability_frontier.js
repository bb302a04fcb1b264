// The stability frontier: a chart for each dtype (Vega-Lite), drawn when it comes near the screen.

// Okabe and Ito's colours, which the colour-blind can tell apart; lighter on dark.
const LIGHT = { functional: "#0072b2", module: "#2f9bd6", composed: "#00805e", one_hot: "#9a6b00", naive: "#d55e00", manual: "#a8457f" };
const DARK = { functional: "#4fa8e8", module: "#9ad4f7", composed: "#2cc495", one_hot: "#e6b422", naive: "#ff8a3d", manual: "#e58bc0" };
const DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 1, 1, 1], [10, 4]];
const FLOOR = 0.03; // ulps: what is exact is drawn here, a logarithm has no zero
const PRECISION = { float16: 11, bfloat16: 8, float32: 24, float64: 53 };
const FIRST = ["log_softmax", "cross_entropy"]; // the sweeps that tell most

let sweep = null;
let edges = null;
let drawn = [];
let pending = 0;

const valueOf = (column, row) => (column.kind === "text" ? column.values[column.codes[row]] : column.values[row]);
const unique = (values) => [...new Set(values)];

function sweepRows() {
  const names = ["case", "operation", "formulation", "dtype", "subject", "gap", "ulp_error", "ulp_bound", "ulp_attainable"];
  const columns = names.map((name) => sweep.columns.find((column) => column.name === name));
  return Array.from({ length: sweep.rows }, (_, row) => Object.fromEntries(columns.map((column) => [column.name, valueOf(column, row)])))
    .filter((row) => row.gap > 0);
}

const isDark = () => document.documentElement.dataset.theme === "dark";
const inkOf = (name) => (isDark() ? DARK : LIGHT)[name] ?? "currentColor";

function theme() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  return { ink: read("--ink"), quiet: read("--quiet"), line: read("--line"), panel: read("--panel") };
}

function logAxis(title, type, domain) {
  const [low, high] = domain.map(Math.log10);
  const step = Math.max(1, Math.round((high - low) / 6));
  const powers = Array.from({ length: 400 }, (_, index) => index - 200).filter((power) => power >= low && power <= high && power % step === 0);
  return { type: "quantitative", scale: { type: "log", nice: false, domain }, title,
    axis: { grid: type === "y", values: powers.map((power) => 10 ** power),
      labelExpr: "datum.value >= 100000 || datum.value < 0.01 ? replace(format(datum.value, '.0e'), '+', '') : format(datum.value, '~g')" } };
}

// What has no digit right goes to the upper edge, what is exact to the floor.
function shape(rows, top) {
  const clamp = (value) => Math.min(Math.max(value ?? FLOOR, FLOOR), top);
  return rows.map((row) => {
    const lost = !(row.ulp_error <= top / 4);
    return { ...row, shown: lost ? top : clamp(row.ulp_error), lost, error: shortNumber(row.ulp_error),
      bound: clamp(row.ulp_bound), attainable: clamp(row.ulp_attainable) };
  });
}

function chartSpec(rows, dtype, width, subjects) {
  const inks = theme();
  const top = 4 * 2 ** (PRECISION[dtype] ?? 53);
  const gaps = rows.map((row) => row.gap);
  const x = { field: "gap", ...logAxis("logit gap", "x", [Math.min(...gaps), Math.max(...gaps)]) };
  const yAxis = logAxis("error (ulps)", "y", [FLOOR, top]);
  const colour = { field: "formulation", type: "nominal", legend: null,
    scale: { domain: Object.keys(LIGHT), range: Object.values(isDark() ? DARK : LIGHT) } };
  const dash = { field: "subject", type: "nominal", legend: null,
    scale: { domain: subjects, range: subjects.map((_, index) => DASHES[index % DASHES.length]) } };
  const limit = (field, strokeDash) => ({
    mark: { type: "line", color: inks.ink, strokeDash, strokeWidth: 2, interpolate: "monotone" },
    encoding: { x, y: { field, aggregate: "max", ...yAxis } },
  });
  const [overflow, underflow] = edges[dtype] ?? [];
  const label = (gap, text, dx) => ({ // the labels stand on either side of their lines, which nearly meet
    data: { values: gap ? [{ gap, text }] : [] },
    mark: { type: "text", color: inks.quiet, angle: 270, align: "left", dy: dx, fontSize: 10, y: "height", dx: 6 },
    encoding: { x: { field: "gap", type: "quantitative" }, text: { field: "text" } },
  });
  const marks = [overflow, underflow].filter(Boolean).map((gap) => ({ gap }));
  return {
    width, height: 250, background: "transparent", data: { values: shape(rows, top) }, autosize: { type: "fit", contains: "padding" },
    description: `Error in ulps over the logit gap in ${dtype}, a line for each formulation and subject, with the bound and the attainable bound.`,
    config: {
      font: "system-ui, sans-serif", view: { stroke: inks.line }, aria: true,
      axis: { labelColor: inks.quiet, titleColor: inks.quiet, gridColor: inks.line, domainColor: inks.quiet, tickColor: inks.line, titleFontWeight: "normal" },
    },
    layer: [
      { data: { values: marks }, mark: { type: "rule", color: inks.quiet, strokeDash: [1, 3] }, encoding: { x: { field: "gap", type: "quantitative" } } },
      label(overflow, "exp overflows", -5), label(underflow, "exp underflows", 11),
      { mark: { type: "area", color: inks.quiet, opacity: 0.14, line: { color: inks.quiet, strokeWidth: 1 }, interpolate: "monotone" },
        encoding: { x, y: { field: "bound", aggregate: "max", ...yAxis }, y2: { datum: FLOOR } } },
      limit("attainable", [1.5, 3]),
      { mark: { type: "line", strokeWidth: 1.7, opacity: 0.85 },
        encoding: { x, y: { field: "shown", ...yAxis }, color: colour, strokeDash: dash, detail: { field: "subject" } } },
      { mark: { type: "point", filled: true, size: 30 },
        encoding: { x, y: { field: "shown", type: "quantitative" }, color: colour,
          shape: { field: "lost", type: "nominal", legend: null, scale: { domain: [false, true], range: ["circle", "M-1,-1L1,1M1,-1L-1,1"] } },
          stroke: colour, opacity: { condition: { test: "datum.lost", value: 0.9 }, value: 0 },
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
      setFilter(kind, on.length === boxes.length && kind !== "formulation" ? [] : on);
    },
  }), swatch, name);
}

// The bound's swatch: the area below it.
const area = () => make("span", { class: "swatch-area", "aria-hidden": "true" });

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

// At first the framework's own function alone: twenty lines a chart tell nothing.
function plottedFormulations(formulations) {
  return view.filters.formulation ?? [formulations.includes("functional") ? "functional" : formulations[0]];
}

const allowed = (name, value) => !view.filters[name] || view.filters[name].includes(value);

// What the charts answer to: any other change of the view leaves them alone.
const chartKey = () => JSON.stringify([view.chart, ...["operation", "dtype", "subject", "formulation"].map((name) => view.filters[name])]);

async function drawFrontier() {
  const turn = (pending += 1);
  const rows = sweepRows();
  const container = document.getElementById("frontier-view");
  const cases = unique(rows.map((row) => row.case)).filter((name) => rows.some((row) => row.case === name && allowed("operation", row.operation)));
  container.hidden = cases.length === 0;
  if (!cases.length) return;
  const telling = FIRST.map((name) => rows.find((row) => row.operation === name && cases.includes(row.case))?.case).find(Boolean);
  const chosen = cases.includes(view.chart) ? view.chart : telling ?? cases[0];
  const caseRows = rows.filter((row) => row.case === chosen);
  const subjects = unique(caseRows.map((row) => row.subject));
  const formulations = unique(caseRows.map((row) => row.formulation));
  const plotted = plottedFormulations(formulations);
  const chooser = make("select", { id: "chart-case", onchange: (event) => change({ chart: event.target.value }) },
    ...cases.map((name) => make("option", { value: name, selected: name === chosen }, `${rows.find((row) => row.case === name).operation}: ${name}`)));
  const focused = document.activeElement?.closest("#frontier-view") ? document.activeElement : null;
  const focusKey = focused && [focused.id, focused.value, focused.dataset.kind];
  const charts = make("div", { class: "charts" });
  container.replaceChildren(make("div", { class: "controls" }, make("label", { class: "sweep" }, "Sweep ", chooser),
    make("p", { class: "keys" }, area(), " bound ", line("currentColor", [1.5, 3]), " attainable"),
    make("fieldset", {}, make("legend", {}, "formulation"), ...formulations.map((name) => legendBox("formulation", name,
      formulations.filter((value) => plotted.includes(value)), line(inkOf(name), [1, 0])))),
    make("fieldset", {}, make("legend", {}, "subject"), ...subjects.map((name, at) => legendBox("subject", name,
      subjects.filter((value) => allowed("subject", value)), line("currentColor", DASHES[at % DASHES.length]))))), charts);
  if (focusKey) [...container.querySelectorAll("input, select")]
    .find((box) => (focusKey[0] ? box.id === focusKey[0] : box.value === focusKey[1] && box.dataset.kind === focusKey[2]))?.focus();
  for (const old of drawn) old.finalize();
  drawn = [];
  const width = Math.max(240, (charts.clientWidth - (charts.clientWidth > 720 ? 32 : 0)) / (charts.clientWidth > 720 ? 2 : 1) - 2);
  for (const dtype of DTYPES.filter((name) => allowed("dtype", name))) {
    const shown = caseRows.filter((row) => row.dtype === dtype && plotted.includes(row.formulation) && allowed("subject", row.subject));
    if (!shown.length || turn !== pending) continue;
    const holder = make("div", {});
    charts.append(make("figure", {}, make("figcaption", {}, dtype), holder));
    drawn.push(await vegaEmbed(holder, chartSpec(shown, dtype, width, subjects), {
      mode: "vega-lite", renderer: "svg", actions: false, tooltip: { theme: isDark() ? "dark" : "light" },
    }));
  }
}

async function startFrontier() {
  if (!document.getElementById("data-sweep")) return;
  const container = document.getElementById("frontier-view");
  container.hidden = false;
  const start = async () => {
    [sweep, edges] = await Promise.all([unpackColumns("sweep"), unpackJson("edges"), unpackModule("vega")]);
    let shown = chartKey();
    watch(() => {
      if (chartKey() === shown) return;
      shown = chartKey();
      setTimeout(() => drawFrontier().catch(failed)); // the table first: it is what was asked for
    });
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
  near.observe(container);
}
