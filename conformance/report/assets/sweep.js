// A sweep's charts: the worst error of each binade over the whole line, one chart for each function and dtype.

const INKS = ["#0072b2", "#d55e00", "#00805e", "#a8457f", "#9a6b00", "#2f9bd6"];
const EXACT = 0.03; // ulps: what is exact is drawn here, a logarithm has no zero
const TOP = 1e9;

const clampUlps = (value) => Math.min(Math.max(typeof value === "number" ? value : TOP, EXACT), TOP);

function sweepChart(group, width) {
  const style = getComputedStyle(document.documentElement);
  const ink = (name) => style.getPropertyValue(name).trim();
  const rows = group.rows.map((row) => ({ ...row, shown: clampUlps(row.error), limit: clampUlps(row.bound) }));
  const subjects = [...new Set(rows.map((row) => row.subject))];
  const top = Math.max(4, ...rows.map((row) => Math.max(row.shown, row.limit)));
  const scale = { type: "log", domain: [EXACT, top * 1.3], nice: false };
  const x = { field: "place", type: "quantitative", title: `${group.pairs ? "y of [x, y]" : "input"}: sign and power of two`,
    scale: { domain: [-group.reach, group.reach], nice: false },
    axis: { tickCount: 16, labelExpr: `datum.value == 0 ? '0' : (datum.value < 0 ? '−2^' : '2^') + (abs(datum.value) - 1 + ${group.least})` } };
  const y = (field, title) => ({ field, type: "quantitative", scale, title, axis: { format: "~g", tickCount: 6 } });
  return {
    width, height: 220, background: "transparent", data: { values: rows }, autosize: { type: "fit", contains: "padding" },
    title: { text: `${group.name}, ${group.dtype}`, anchor: "start", color: ink("--ink") },
    description: `${group.name} in ${group.dtype}: the worst error of each binade in ulps, with the bound.`,
    config: { font: "system-ui, sans-serif", view: { stroke: ink("--line") }, aria: true,
      legend: { labelColor: ink("--quiet"), titleColor: ink("--quiet") },
      axis: { labelColor: ink("--quiet"), titleColor: ink("--quiet"), gridColor: ink("--line"), domainColor: ink("--quiet"), tickColor: ink("--line"), titleFontWeight: "normal" } },
    layer: [
      { mark: { type: "line", color: ink("--ink"), strokeDash: [6, 3], strokeWidth: 1.5, interpolate: "step" },
        encoding: { x, y: { ...y("limit", "ulps"), aggregate: "max" }, detail: { field: "sign" } } },
      { mark: { type: "line", strokeWidth: 1.5, interpolate: "step", opacity: 0.9, point: { size: 14, filled: true } },
        encoding: { x, y: y("shown", "ulps"), detail: { field: "sign" },
          color: { field: "subject", type: "nominal", title: "subject", scale: { domain: subjects, range: INKS } },
          tooltip: [{ field: "subject" }, { field: "input", format: ".9~g" },
            ...(group.pairs ? [{ field: "other", title: "y", format: ".9~g" }] : []), { field: "error", title: "ulps", format: ".5~g" },
            { field: "bound", format: ".4~g" }, { field: "verdict" }] } },
    ],
  };
}

const groups = JSON.parse(document.getElementById("sweep-data").textContent);

let library = null;

async function drawSweep() {
  library ??= unpackModule("vega");
  await library;
  const container = document.getElementById("charts");
  container.replaceChildren();
  for (const group of groups) {
    const figure = document.createElement("div");
    figure.className = "panel";
    container.append(figure);
    await window.vegaEmbed(figure, sweepChart(group, Math.max(320, container.clientWidth - 60)), { actions: false, renderer: "svg" });
  }
}

drawSweep();
new MutationObserver(drawSweep).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
