// A check's program, inputs and issue: templates of programs, filled with the numbers of the check's tensors.

const HOLE = /⟦(\w+)⟧/g;
const MAX_LISTED_LETTERS = 2000;
let programs = null;

async function loadPrograms() {
  programs ??= await unpackJson("programs");
  return programs;
}

// A number as Python reads it back, to the bit.
function pythonNumber(value, isFloat) {
  if (value === "nan") return 'float("nan")';
  if (value === "inf" || value === "-inf") return `${value === "inf" ? "" : "-"}float("inf")`;
  const text = String(value);
  return isFloat && /^-?\d+$/.test(text) ? `${text}.0` : text;
}

// A number rounded to a dtype of 16 or 32 bits, ties to even: p bits, the smallest exponent, the largest number.
const FORMATS = { float16: [11, -14, 65504], bfloat16: [8, -126, 3.3895313892515355e38] };

function roundedTo(dtype, value) {
  if (typeof value === "string") return value; // nan, an infinity, -0.0
  if (dtype === "float32") return written(Math.fround(value));
  const [bits, smallest, largest] = FORMATS[dtype];
  const high = new Uint32Array(new Float64Array([value]).buffer)[1];
  const ulp = 2 ** (Math.max(((high >>> 20) & 0x7ff) - 1023, smallest) - bits + 1);
  const below = Math.floor(value / ulp);
  const rest = value / ulp - below;
  const rounded = ulp * (rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below);
  return written(Math.abs(rounded) > largest ? Infinity * Math.sign(value) : rounded === 0 && value < 0 ? -0 : rounded);
}

// As numbers are carried: infinities and the negative zero as text.
const written = (number) => (Number.isFinite(number) ? (Object.is(number, -0) ? "-0.0" : number) : number > 0 ? "inf" : "-inf");

function valuesOf(array) {
  return array.of === undefined ? array.values : valuesOf(programs.arrays[array.of]).map((value) => roundedTo(array.dtype, value));
}

function nestedList(array) {
  const { shape, float: isFloat } = array;
  const values = valuesOf(array);
  let next = 0;
  const part = (axis) => (axis === shape.length ? pythonNumber(values[next++], isFloat)
    : `[${Array.from({ length: shape[axis] }, () => part(axis + 1)).join(", ")}]`);
  return part(0);
}

const oneLine = (text) => { const line = text.replace(/\s+/g, " ").trim(); return line.length > 200 ? `${line.slice(0, 199)}…` : line; };

function tensorsOf(row) {
  return programs.inputs[`${checks.text("case", row)}/${checks.text("dtype", row)}`] ?? {};
}

// What the program reproduces, as comments.
function programHeading(row) {
  const [operation, formulation, dtype, quantity, name, index, exact, observed, message] = ["operation", "formulation", "dtype",
    "quantity", "case", "worst_index", "exact", "observed", "message"].map((column) => checks.text(column, row));
  const at = index ? ` at ${index}` : "";
  const lines = [`${operation}, ${formulation}, ${dtype}, ${quantity}: ${name}`];
  if (exact) lines.push(`exact value${at}: ${exact}`);
  if (observed) lines.push(`returned${at}: ${observed}`);
  else if (message) lines.push(`the report says: ${message}`);
  return lines.map((line) => `# ${oneLine(line)}\n`).join("");
}

// The program of a check, or null where the page has none (large inputs, a user's own function).
function programOf(row) {
  const number = checks.template(row);
  if (number < 0) return null;
  const tensors = tensorsOf(row);
  const index = checks.text("worst_index", row);
  return programHeading(row) + programs.templates[number].map((part) => programs.parts[part]).join("\n\n").replace(HOLE, (hole, name) => (name === "element" ? index
    : name === "dtype" ? checks.text("dtype", row) : nestedList(programs.arrays[tensors[name]])));
}

function commandOf(row) {
  const [name, subject, dtype, quantity] = ["case", "subject", "dtype", "quantity"].map((column) => checks.text(column, row));
  const quoted = (text) => (/^[\w.:@/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  return `conformance reproduce ${quoted(name)} --subject ${quoted(subject)} --dtype ${dtype} --quantity ${quoted(quantity)}`;
}

// The tensors that the check was asked with, as far as they are short enough to read.
function inputList(row) {
  const shown = Object.entries(tensorsOf(row)).filter(([name]) => name !== "direction" && (name !== "upstream" || checks.text("quantity", row) !== "value"));
  return shown.map(([name, number]) => {
    const text = nestedList(programs.arrays[number]);
    return [name, text.length > MAX_LISTED_LETTERS ? `${text.slice(0, MAX_LISTED_LETTERS)}…` : text];
  });
}

// An issue's text in Markdown: what is wrong, the program, versions and processor.
function issueOf(row) {
  const text = (name) => checks.text(name, row);
  const at = text("worst_index") ? ` at ${text("worst_index")}` : "";
  const error = checks.number("ulp_error", row);
  const absolute = checks.absoluteError(row);
  const size = absolute ? `${shortNumber(absolute)} (absolute)` : `${shortNumber(error)} ulps of ${text("dtype")}`;
  const figures = error === null ? [] : [`- error: ${size}; the bound of a stable algorithm: ${shortNumber(checks.number("ulp_bound", row))}`];
  const known = text("known") ? [`- known as: ${oneLine(text("known"))}`] : [];
  const program = programOf(row);
  return [`**${text("operation")} (${text("formulation")}), ${text("quantity")}, ${text("dtype")}: ${text("verdict")}**`, "",
    ...(text("exact") ? [`- expected${at}: ${text("exact")}`] : []), `- returned${at}: ${text("observed") || oneLine(text("message"))}`,
    ...figures, ...known, `- case: ${text("case")} (${text("source")})`, "",
    ...(program === null ? [`Program: \`${commandOf(row)}\``] : ["```python", program.trimEnd(), "```"]), "",
    ...(programs.circumstances[text("subject")] ?? []).map((line) => `- ${line}`), ""].join("\n");
}

function copyButton(title, text, confirmation) {
  return make("button", { type: "button", onclick: () => copyText(text(), confirmation) }, title);
}

// The part of the dialog that says how to see the check again.
function programPart(row) {
  const program = programOf(row);
  const command = commandOf(row);
  const inputs = inputList(row);
  const shown = program === null
    ? make("p", { class: "quiet" }, "The inputs are too large to list here, or the function is a user's own: this command writes the program.")
    : make("pre", { tabindex: "0", role: "region", "aria-label": "Program" }, make("code", {}, program));
  return [
    ...(inputs.length ? [make("h3", {}, "Inputs"), make("dl", { class: "facts" }, ...inputs.map(([name, text]) => make("div", { class: "whole" }, make("dt", {}, name), make("dd", { class: "num text" }, text))))] : []),
    make("h3", {}, "Program"), make("p", {}, make("code", { class: "text" }, command), make("br"),
      make("code", { class: "text" }, command.replace(/ reproduce (\S+) .*/, " explain $1"))),
    make("p", { class: "controls" }, ...(program === null ? [] : [copyButton("Copy program", () => program, "Program copied")]),
      copyButton("Copy as issue", () => issueOf(row), "Issue copied"), copyButton("Copy command", () => command, "Command copied")),
    shown];
}
