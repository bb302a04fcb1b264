// Filter of a page's rows: those are shown that hold every word, in whatever column.

const box = document.getElementById("row-filter");

function filterRows() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [...document.querySelectorAll("tr.filtered")];
  let shown = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
    shown += Number(!row.hidden);
  }
  document.getElementById("row-count").textContent = words.length ? `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows` : "";
}

box?.addEventListener("input", filterRows);
