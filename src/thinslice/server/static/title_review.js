// Titles are decided with a key: 1 2 3 take a category, n none, s later, u undo, / another one.
// Without script every key is a button.
"use strict";

const turn = document.getElementById("turn");
const learned = document.getElementById("status");
const SOON_MS = 2000;
const LOOKS = 15;
let busy = false;
let timer = 0;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest("input:not([type=checkbox]), textarea, select")) {
    if (event.key === "Escape") turn.focus();
    return;
  }
  const key = event.key.toLowerCase();
  if (key === "/") document.getElementById("another")?.focus();
  const button = turn.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (key !== "/" && !button) return;
  event.preventDefault();
  if (button && !busy) button.click();
});

turn.addEventListener("submit", (event) => {
  event.preventDefault();
  const body = new URLSearchParams(new FormData(event.target));
  const button = event.submitter;
  if (button?.name) body.set(button.name, button.value);
  change(event.target.action, { method: "POST", body });
});

turn.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-key]");
  if (!link) return;
  event.preventDefault();
  change(link.href, {});
});

async function change(address, how) {
  if (busy) return;
  busy = true;
  turn.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { ...how, headers: { Accept: "application/json" } });
    if (answer.status === 503) {
      setTimeout(() => change(address, how), 1000 * Number(answer.headers.get("retry-after") || 1));
      return;
    }
    if (!answer.ok) throw new Error(answer.status);
    show(await answer.json());
    clearTimeout(timer);
    timer = setTimeout(look, SOON_MS, LOOKS);
  } catch {
    const note = document.createElement("p");
    note.className = "notice warn";
    note.setAttribute("role", "alert");
    note.textContent = "That was not kept: the service does not answer. Try again in a moment.";
    turn.prepend(note);
  } finally {
    busy = false;
    turn.removeAttribute("aria-busy");
  }
}

function show(parts) {
  turn.innerHTML = parts.turn;
  learned.innerHTML = parts.status;
  turn.focus({ preventScroll: true });
}

// What was decided is learned in the background; the page says so once it is.
async function look(more) {
  if (!learned.querySelector("form") || more === 0) return;
  try {
    const answer = await fetch(location.pathname, { headers: { Accept: "application/json" } });
    if (answer.ok && !busy) learned.innerHTML = (await answer.json()).status;
  } catch {
    // the next look, or the next decision, tells
  }
  timer = setTimeout(look, SOON_MS, more - 1);
}
