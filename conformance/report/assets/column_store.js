// The checks as columns: filters, text search and order over codes, so that 20,000 rows take milliseconds.

const SYMBOLS = JSON.parse(document.getElementById("symbols").textContent);
const VERDICTS = Object.keys(SYMBOLS); // from best to worst
const DTYPES = ["float16", "bfloat16", "float32", "float64"];
const OUTCOMES = ["discrepancy", "known", "textbook", "conforms", "no verdict"];
const NO_DIGIT = "no digit right";
const DIGITS_A_BIT = Math.log10(2);
const PRECISION_BITS = { float16: 11, bfloat16: 8, float32: 24, float64: 53 };

class Checks {
  constructor(data) {
    this.count = data.rows;
    this.columns = new Map();
    for (const column of data.columns) this.columns.set(column.name, column);
    this.templates = this.columns.get("template")?.values ?? null; // of programs, which no table shows
    this.columns.delete("template");
    this.names = [...this.columns.keys()];
    this.columns.set("outcome", this.outcomes());
    this.columns.set("digits_right", this.digitsRight());
    this.columns.set("mark", this.marks());
    this.names.splice(this.names.indexOf("ulp_error"), 0, "digits_right");
    this.ranks = new Map();
    this.words = new Map();
  }

  text(name, row) {
    const column = this.columns.get(name);
    if (column.kind === "text") return column.values[column.codes[row]];
    const value = column.values[row];
    if (value === null) return "";
    return value === Infinity ? "inf" : value === -Infinity ? "-inf" : String(value);
  }

  number(name, row) {
    return this.columns.get(name).values[row];
  }

  // The number of the template of a check's program; -1: it has none.
  template(row) {
    return this.templates === null ? -1 : this.templates[row];
  }

  // What a check means for the run: a discrepancy, or why it is none.
  outcomes() {
    const codes = new Uint32Array(this.count);
    for (let row = 0; row < this.count; row += 1) {
      const conforms = this.text("conforms", row);
      if (conforms === "") codes[row] = 4;
      else if (conforms === "True") codes[row] = 3;
      else if (this.text("known", row) !== "") codes[row] = 1;
      else codes[row] = this.text("textbook", row) === "True" ? 2 : 0;
    }
    return { name: "outcome", kind: "text", values: OUTCOMES, codes };
  }

  // Decimal digits that are right, of those that the dtype has: p - 1 - log2(ulps) bits. None where the exact
  // value is 0 or no number: there an error has no relative size.
  digitsRight() {
    const [dtypes, exacts, ulps] = ["dtype", "exact", "ulp_error"].map((name) => this.columns.get(name));
    const bits = dtypes.values.map((name) => PRECISION_BITS[name] ?? 0);
    const relative = exacts.values.map((text) => { const exact = Number(text); return Number.isFinite(exact) && exact !== 0 && text !== ""; });
    const values = Array.from({ length: this.count }, (_, row) => {
      const error = ulps.values[row];
      const precision = bits[dtypes.codes[row]];
      if (error === null || !precision || !relative[exacts.codes[row]]) return null;
      return Math.max(0, precision - 1 - Math.log2(Math.max(error, 0.5))) * DIGITS_A_BIT;
    });
    return { name: "digits_right", kind: "number", values };
  }

  // The mark of a check that conforms with no digit right: its bound allows an error as large as the value.
  marks() {
    const codes = new Uint8Array(this.count);
    const { values } = this.columns.get("digits_right");
    for (let row = 0; row < this.count; row += 1) {
      const none = values[row] !== null && values[row] <= DIGITS_A_BIT;
      codes[row] = Number(none && this.text("conforms", row) === "True" && this.text("textbook", row) !== "True");
    }
    return { name: "mark", kind: "text", values: ["", NO_DIGIT], codes };
  }

  // Tags are several in one cell; every other facet is one value a row.
  matches(name, wanted) {
    const { values } = this.columns.get(name);
    const set = new Set(wanted);
    return Uint8Array.from(values, (value) => Number(
      name === "tags" ? value.split(";").some((tag) => set.has(tag)) : set.has(value)));
  }

  // Per row a bit mask of the facets that refuse it; bit 31 is the text search.
  refusals(filters, query) {
    const out = new Uint32Array(this.count);
    Object.entries(filters).forEach(([name, wanted], index) => {
      if (!this.columns.has(name)) return;
      const { codes } = this.columns.get(name);
      const yes = this.matches(name, wanted);
      const bit = 1 << index;
      for (let row = 0; row < this.count; row += 1) if (!yes[codes[row]]) out[row] |= bit;
    });
    for (const word of query.toLowerCase().split(/\s+/).filter(Boolean)) {
      const hits = this.search(word);
      for (let row = 0; row < this.count; row += 1) if (!hits[row]) out[row] |= 1 << 31;
    }
    return out;
  }

  search(word) {
    const hits = new Uint8Array(this.count);
    for (const name of this.names) {
      const column = this.columns.get(name);
      if (column.kind !== "text") continue;
      if (!this.words.has(name)) this.words.set(name, column.values.map((value) => value.toLowerCase()));
      const yes = Uint8Array.from(this.words.get(name), (value) => Number(value.includes(word)));
      if (!yes.includes(1)) continue;
      const { codes } = column;
      for (let row = 0; row < this.count; row += 1) hits[row] |= yes[codes[row]];
    }
    return hits;
  }

  // The rows of a view in order, and for each facet how many rows each of its values would show.
  select(filters, query, sort) {
    const refused = this.refusals(filters, query);
    const rows = [];
    for (let row = 0; row < this.count; row += 1) if (refused[row] === 0) rows.push(row);
    const ordered = this.order(rows, sort);
    return { rows: query && !sort.length ? this.namedFirst(ordered, query) : ordered, refused, names: Object.keys(filters) };
  }

  tally(name, selection) {
    const bit = selection.names.indexOf(name);
    const allowed = bit < 0 ? 0 : (1 << bit) >>> 0;
    const { codes, values } = this.columns.get(name);
    const counts = new Uint32Array(values.length);
    for (let row = 0; row < this.count; row += 1) {
      if ((selection.refused[row] & ~allowed) === 0) counts[codes[row]] += 1;
    }
    const out = new Map();
    values.forEach((value, code) => {
      for (const part of name === "tags" ? value.split(";") : [value]) {
        if (part !== "") out.set(part, (out.get(part) ?? 0) + counts[code]);
      }
    });
    return [...out].sort((a, b) => compare(name, a[0], b[0]));
  }

  // For every row a number that sorts as the column should: severity, width, size or alphabet; none comes last.
  rank(name) {
    if (this.ranks.has(name)) return this.ranks.get(name);
    const column = this.columns.get(name);
    let ranks;
    if (column.kind === "number") {
      ranks = Float64Array.from(column.values, (value) => (value === null ? NaN : value));
    } else {
      const { values } = column;
      const digits = name === "observed" || name === "exact" ? Float64Array.from(values, sizeOf) : null;
      const before = (a, b) => (digits && digits[a] !== digits[b] ? (digits[a] < digits[b] ? -1 : 1) : compare(name, values[a], values[b]));
      const sorted = values.map((value, code) => code).sort(before);
      const positions = new Float64Array(column.values.length);
      sorted.forEach((code, position) => { positions[code] = column.values[code] === "" ? NaN : position; });
      ranks = Float64Array.from(column.codes, (code) => positions[code]);
    }
    this.ranks.set(name, ranks);
    return ranks;
  }

  order(rows, sort) {
    const keys = sort.filter(([name]) => this.columns.has(name)).map(([name, way]) => [this.rank(name), way === "desc" ? -1 : 1]);
    if (!keys.length) return this.worstFirst(rows);
    return rows.sort((a, b) => {
      for (const [ranks, way] of keys) {
        const x = ranks[a];
        const y = ranks[b];
        if (x === y || (x !== x && y !== y)) continue;
        if (x !== x) return 1;
        if (y !== y) return -1;
        return x < y ? -way : way;
      }
      return a - b;
    });
  }

  // The rows whose case bears every word of the search before those that hold them elsewhere.
  namedFirst(rows, query) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    const { codes, values } = this.columns.get("case");
    const named = values.map((name) => words.every((word) => name.toLowerCase().includes(word)));
    return [...rows.filter((row) => named[codes[row]]), ...rows.filter((row) => !named[codes[row]])];
  }

  // The error at an exact 0, of which no ulp is a measure, as an absolute number; null elsewhere.
  absoluteError(row) {
    const [exact, observed] = [this.text("exact", row), this.text("observed", row)];
    if (exact === "" || Number(exact) !== 0 || observed === "" || !Number.isFinite(Number(observed))) return null;
    return Math.abs(Number(observed));
  }

  // The rows by outcome, then verdict, then error over bound: what asks for attention first. Sorted once.
  worstFirst(rows) {
    if (!this.worst) {
      const outcome = this.columns.get("outcome").codes;
      const verdict = this.rank("verdict");
      const ratio = this.columns.has("ratio") ? this.columns.get("ratio").values : new Array(this.count).fill(null);
      const size = (row) => (ratio[row] === null ? -1 : ratio[row]);
      const sorted = Uint32Array.from({ length: this.count }, (_, row) => row);
      sorted.sort((a, b) => outcome[a] - outcome[b] || verdict[b] - verdict[a] || (size(a) === size(b) ? a - b : size(b) > size(a) ? 1 : -1));
      this.worst = new Uint32Array(this.count);
      sorted.forEach((row, position) => { this.worst[row] = position; });
    }
    const { worst } = this;
    return rows.sort((a, b) => worst[a] - worst[b]);
  }
}

// A figure's size; what is no number comes after all numbers.
function sizeOf(text) {
  if (text.endsWith("inf")) return text.startsWith("-") ? -Number.MAX_VALUE : Number.MAX_VALUE;
  const number = Number.parseFloat(text);
  return number === number ? number : Infinity;
}

function compare(name, a, b) {
  if (name === "verdict") return VERDICTS.indexOf(a) - VERDICTS.indexOf(b);
  if (name === "dtype") return DTYPES.indexOf(a) - DTYPES.indexOf(b);
  if (name === "outcome") return OUTCOMES.indexOf(a) - OUTCOMES.indexOf(b);
  return a < b ? -1 : a > b ? 1 : 0;
}

// A row's permanent name, the same in every run that has the check.
const KEY = ["case", "dtype", "formulation", "quantity", "subject"];
const keyOf = (checks, row) => KEY.map((name) => encodeURIComponent(checks.text(name, row))).join("/");

function rowOf(checks, key) {
  const parts = key.split("/").map((part) => { try { return decodeURIComponent(part); } catch { return part; } });
  if (parts.length !== KEY.length) return -1;
  const wanted = KEY.map((name, index) => {
    const column = checks.columns.get(name);
    return [column.codes, column.values.indexOf(parts[index])];
  });
  for (let row = 0; row < checks.count; row += 1) if (wanted.every(([codes, code]) => codes[row] === code)) return row;
  return -1;
}

// The rows as CSV with the columns shown: quoted as pandas quotes them.
function toCsv(checks, rows, names) {
  const quote = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = [names.join(",")];
  for (const row of rows) lines.push(names.map((name) => quote(checks.text(name, row))).join(","));
  return `${lines.join("\n")}\n`;
}
