// Before the first paint: the reader's choice of light or dark, or the system's.
(() => {
  let chosen = null;
  try { chosen = localStorage.getItem("conformance-theme"); } catch { /* a file without storage: the system decides */ }
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const set = (theme) => { document.documentElement.dataset.theme = theme; };
  set(chosen ?? (dark.matches ? "dark" : "light"));
  dark.addEventListener("change", () => { if (!chosen) set(dark.matches ? "dark" : "light"); });
  document.addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme")?.addEventListener("click", () => {
      chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
      set(chosen);
      try { localStorage.setItem("conformance-theme", chosen); } catch { /* it holds for this visit */ }
    });
  });
})();
