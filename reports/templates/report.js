(() => {
  "use strict";
  const page = document;
  const tools = page.getElementById("tools");
  const query = page.getElementById("q");
  const cards = [...page.querySelectorAll("#items article.card")];
  const shown = new Set();
  const words = new Map();
  const say = (card) => {
    if (!words.has(card)) words.set(card, card.textContent.toLowerCase());
    return words.get(card);
  };
  const sift = () => {
    const sought = query.value.trim().toLowerCase();
    for (const card of cards) {
      card.hidden = !((!shown.size || shown.has(card.dataset.state)) && (!sought || say(card).includes(sought)));
    }
  };
  const reset = () => {
    query.value = "";
    shown.clear();
    for (const button of tools.querySelectorAll("[data-show]")) button.setAttribute("aria-pressed", "false");
    sift();
  };
  const openAll = (open) => {
    for (const part of page.querySelectorAll("details.many, details.scope, details.examples")) part.open = open;
  };
  let waiting = 0;
  tools.addEventListener("submit", (event) => event.preventDefault());
  query.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(sift, 120);
  });
  tools.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.all) openAll(button.dataset.all === "open");
    const state = button.dataset.show;
    if (!state) return;
    if (!shown.delete(state)) shown.add(state);
    button.setAttribute("aria-pressed", String(shown.has(state)));
    sift();
  });
  addEventListener("hashchange", () => {
    const aim = page.getElementById(location.hash.slice(1));
    if (!aim) return;
    if (aim.hidden) reset();
    const around = aim.closest("details");
    if (around) around.open = true;
    aim.scrollIntoView();
  });
  addEventListener("beforeprint", () => {
    for (const part of page.querySelectorAll("details.many, details.scope, #sources, #collections")) part.open = true;
  });
  const find = page.getElementById("find");
  if (find) {
    const rows = [...page.querySelectorAll(".dense-systems tbody tr")];
    const sought = page.getElementById("s");
    find.addEventListener("submit", (event) => event.preventDefault());
    sought.addEventListener("input", () => {
      const word = sought.value.trim().toLowerCase();
      let left = 0;
      for (const row of rows) {
        row.hidden = !(row.cells[0].textContent + " " + row.cells[1].textContent).toLowerCase().includes(word);
        left += row.hidden ? 0 : 1;
      }
      page.getElementById("found").textContent = `${left} / ${rows.length}`;
    });
    find.hidden = false;
  }
  tools.hidden = false;
})();
