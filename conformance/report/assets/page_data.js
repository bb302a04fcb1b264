// Unpacks what the page carries: JSON and modules, compressed and in base64.

const unpack = (name) => unpackElement(document.getElementById(`data-${name}`));

async function unpackElement(element) {
  const bytes = Uint8Array.from(atob(element.textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream);
}

async function unpackJson(name) {
  return (await unpack(name)).json();
}

const CODES = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array };

// Numbers of 8 bytes from their planes: all first bytes, then all second ones.
function float64s(bytes, count) {
  const whole = new Uint8Array(8 * count);
  for (let plane = 0; plane < 8; plane += 1) for (let at = 0; at < count; at += 1) whole[8 * at + plane] = bytes[plane * count + at];
  return Array.from(new Float64Array(whole.buffer), (value) => (value === value ? value : null));
}

// Digests of 64 bits, in hexadecimal digits; some stand for no text.
function digests(bytes, count, empty) {
  const digits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
  const none = new Set(empty);
  return Array.from({ length: count }, (_, number) => {
    let text = "";
    if (!none.has(number)) for (let at = 8 * number; at < 8 * number + 8; at += 1) text += digits[bytes[at]];
    return text;
  });
}

// A column's codes from what other columns let expect: 0 as in the last row beside the same codes of theirs,
// 1 the next that no row has had, 2 one of the explicit codes.
function predictedCodes(hits, explicit, context, Codes) {
  const codes = new Codes(hits.length);
  const last = new Map();
  let next = 0;
  let taken = 0;
  for (let row = 0; row < hits.length; row += 1) {
    let key = 0;
    for (const [other, radix] of context) key = key * radix + other[row];
    const code = hits[row] === 0 ? last.get(key) : hits[row] === 1 ? next : explicit[taken++];
    if (hits[row] === 1) next += 1;
    if (hits[row] !== 0) last.set(key, code);
    codes[row] = code;
  }
  return codes;
}

// A frame's columns: text keeps its dictionary and codes, numbers become one value a row.
async function unpackColumns(name) {
  const [data, response] = await Promise.all([unpackJson(name), unpack(`${name}-codes`)]);
  const bytes = await response.arrayBuffer();
  const columns = new Map(data.columns.map((column) => [column.name, column]));
  let start = 0;
  const take = (size) => { start += size; return bytes.slice(start - size, start); };
  for (const column of data.order.map((other) => columns.get(other))) {
    const Codes = CODES[column.width];
    if (column.given) {
      const context = column.given.map((other) => [columns.get(other).codes, columns.get(other).values.length]);
      const hits = new Uint8Array(take(data.rows));
      column.codes = predictedCodes(hits, new Codes(take(column.explicit * column.width)), context, Codes);
    } else column.codes = new Codes(take(data.rows * column.width));
    if (column.packed === "float64") column.values = float64s(new Uint8Array(take(8 * column.distinct)), column.distinct);
    else if (column.packed === "digest") column.values = digests(new Uint8Array(take(8 * column.distinct)), column.distinct, column.empty);
    else if (column.kind === "number") column.values = column.values.map((value) => (value === "inf" ? Infinity : value === "-inf" ? -Infinity : value));
  }
  for (const column of data.columns) if (column.kind === "number") column.values = Array.from(column.codes, (code) => column.values[code]);
  return data;
}

// Parts that are folded away are packed, and put in once the page is painted: markup of our own, escaped where it was written.
async function unfold() {
  for (const script of document.querySelectorAll("script.folded")) {
    const part = document.createElement("template");
    part.innerHTML = await (await unpackElement(script)).text();
    script.replaceWith(part.content);
  }
}

// A library's text as a module; a blob has an address that an import can name without a network.
async function unpackModule(name) {
  const address = URL.createObjectURL(new Blob([await (await unpack(name)).text()], { type: "text/javascript" }));
  try {
    return await import(address);
  } finally {
    URL.revokeObjectURL(address);
  }
}

// Builds an element: attributes, then children as nodes or text. Text is never markup.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const say = (text) => { document.getElementById("live").textContent = text; };
