// The page's start: the static page is there already, everything here adds to it.

async function copyText(text, confirmation) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // an old browser, or one that gives no clipboard to files
    const area = make("textarea", { class: "only-read" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say(confirmation);
}

function startCopyButtons() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    await copyText(button.closest("figure").querySelector("code").textContent, "Reproduction copied");
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1500);
  });
}

function failed(error) {
  console.error(error);
  const notice = document.getElementById("checks-loading");
  notice.hidden = false;
  notice.textContent = `The table could not be drawn (${error.message}). The same rows are in results.csv, beside this file.`;
}

startCopyButtons();
watch(drawChips);
startState();
drawChips();
// After the first paint, so that the verdict is on screen before the table is unpacked.
requestAnimationFrame(() => setTimeout(async () => {
  try {
    await unfold();
    await startChecks();
    watch(filterSections);
    filterSections();
    startDetails();
    startFrontier();
    document.documentElement.dataset.ready = "true";
    if (view.at) document.getElementById(view.at)?.scrollIntoView();
  } catch (error) {
    failed(error);
  }
}));
