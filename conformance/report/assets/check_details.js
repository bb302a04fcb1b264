// One check in full, beside what every other subject returned on it; its address is the view's `check`.

const ANSWERS = ["subject", "framework_version", "verdict", "observed", "worst_index", "digits_right", "ulp_error", "ulp_bound", "ulp_attainable", "message"];
const TITLES = { framework_version: "version", digits_right: "digits right", observed: "returned", worst_index: "at", ulp_error: "ulps", ulp_bound: "bound", ulp_attainable: "attainable" };

// Letters that the heading and the answers show: what is longer stands below them, whole.
const MAX_LETTERS = { case: 200, message: 2000 };

// Said already: above the table, or in it.
const SHOWN_ABOVE = new Set([...ANSWERS, "case", "operation", "formulation", "quantity", "dtype", "exact", "framework"]);

// A fact's text; a source that is an address, or an issue by its repository and number, as a link.
function factValue(name, text) {
  const issue = text.match(/^([\w.-]+\/[\w.-]+)#(\d+)$/);
  const address = issue ? `https://github.com/${issue[1]}/issues/${issue[2]}` : text;
  return name === "source" && /^https?:\/\/[^\s"'<>]+$/.test(address) ? make("a", { href: address, rel: "noopener noreferrer" }, text) : text;
}

function factRows(row) {
  const cut = (name) => checks.text(name, row).length > MAX_LETTERS[name];
  return checks.names.filter((name) => (!SHOWN_ABOVE.has(name) || cut(name)) && checks.text(name, row) !== "").map((name) => make("div", {},
    make("dt", {}, name.replaceAll("_", " ")), make("dd", { class: "text num" }, factValue(name, checks.text(name, row)))));
}

// The rows of the same case, dtype, formulation and quantity.
function siblings(row) {
  const same = ["case", "dtype", "formulation", "quantity", "operation"].map((name) => checks.columns.get(name).codes);
  const out = [];
  for (let other = 0; other < checks.count; other += 1) if (same.every((codes) => codes[other] === codes[row])) out.push(other);
  return out;
}

function answerTable(row) {
  const head = make("tr", {}, ...ANSWERS.map((name) => make("th", { scope: "col" }, TITLES[name] ?? name)));
  const body = siblings(row).map((other) => make("tr", other === row ? { class: "self" } : {}, ...ANSWERS.map((name) => {
    const cell = make("td", { class: name === "message" ? "text wide-text" : "text" });
    cell.append(name === "verdict" ? verdictCell(other)
      : checks.columns.get(name).kind === "number" ? figure(name, other) : checks.text(name, other).slice(0, MAX_LETTERS.message));
    return cell;
  })));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "What every subject returned" },
    make("table", { class: "plain" }, make("thead", {}, head), make("tbody", {}, ...body)));
}

function exactLine(row) {
  const [exact, index] = ["exact", "worst_index"].map((name) => checks.text(name, row));
  if (exact === "") return "";
  return make("p", {}, make("span", { class: "quiet" }, `exact value${index ? ` at ${index}` : ""} `), make("code", { class: "text" }, exact));
}

function drawDetails() {
  const dialog = document.getElementById("details");
  if (!view.check) {
    if (dialog.open) dialog.close();
    return;
  }
  const row = rowOf(checks, view.check);
  const title = row < 0 ? "This run has no such check" : checks.text("case", row);
  dialog.querySelector("h2").textContent = title.slice(0, MAX_LETTERS.case);
  const body = dialog.querySelector(".body");
  if (row < 0) body.replaceChildren(make("p", { class: "text" }, view.check.slice(0, 400)));
  else {
    body.replaceChildren(make("p", {}, verdictCell(row), " ",
      ["operation", "formulation", "quantity", "dtype", "subject"].map((name) => checks.text(name, row)).join(", ")),
    exactLine(row), answerTable(row), make("div", { id: "check-program" }), make("dl", { class: "facts" }, ...factRows(row)));
    drawProgram(row);
  }
  if (!dialog.open) dialog.showModal();
}

// Below the answers, once the templates are unpacked; of another check by then, nothing is drawn.
async function drawProgram(row) {
  const asked = view.check;
  await loadPrograms();
  if (view.check === asked) document.getElementById("check-program")?.replaceChildren(...programPart(row));
}

function startDetails() {
  const dialog = document.getElementById("details");
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => { if (view.check) change({ check: null }); });
  dialog.querySelector(".copy-link").addEventListener("click", () => copyText(location.href, "Link copied"));
  watch(drawDetails);
  drawDetails();
}
