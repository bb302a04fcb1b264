// Unpacks what the page carries: JSON and modules, compressed and in base64.

async function unpack(name) {
  const element = document.getElementById(`data-${name}`);
  const bytes = Uint8Array.from(atob(element.textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream);
}

async function unpackJson(name) {
  return (await unpack(name)).json();
}

const CODES = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array };

// A frame's columns: text keeps its dictionary and codes, numbers become one value a row.
async function unpackColumns(name) {
  const [data, response] = await Promise.all([unpackJson(name), unpack(`${name}-codes`)]);
  const codes = await response.arrayBuffer();
  let start = 0;
  for (const column of data.columns) {
    const end = start + data.rows * column.width;
    column.codes = new CODES[column.width](codes.slice(start, end));
    start = end;
    if (column.kind !== "number") continue;
    const values = column.values.map((value) => (value === "inf" ? Infinity : value === "-inf" ? -Infinity : value));
    column.values = Array.from(column.codes, (code) => values[code]);
  }
  return data;
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
