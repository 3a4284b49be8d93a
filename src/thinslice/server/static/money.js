// The money page answers while a slider moves. Without script the same form is sent by its button.
"use strict";

const form = document.getElementById("money");
const wrongBox = document.getElementById("money-wrong");
const rows = form.elements.rows;
const file = form.elements.file;
const WAIT_MS = 120;
let timer = 0;
let asking = false;
let again = false;

function ask() {
  clearTimeout(timer);
  timer = setTimeout(send, WAIT_MS);
}

// One question at a time; what changed meanwhile is asked afterwards.
async function send() {
  if (asking) {
    again = true;
    return;
  }
  if (tooLarge()) return;
  asking = true;
  again = false;
  const sentFile = file.files.length > 0;
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
    });
    if (answer.ok) show(await answer.json(), sentFile);
    else if (answer.status === 503) setTimeout(send, 1500);
    else complain(await reason(answer));
  } catch {
    complain("The service does not answer. What you typed is still here; try again in a moment.");
  } finally {
    asking = false;
    if (again) ask();
  }
}

function tooLarge() {
  const most = Number(form.dataset.mostBytes);
  const size = (file.files[0]?.size ?? 0) + (file.files.length ? 0 : new Blob([rows.value]).size);
  if (size < most - 20000) return false;
  const mb = (bytes) => (bytes / 1e6).toLocaleString(undefined, { maximumFractionDigits: 1 });
  say("rows", `At most ${mb(most)} MB can be sent, and this is ${mb(size)} MB; take a random part of the rows, or run thinslice profit FILE.`);
  complain("Nothing was sent: there are too many rows.");
  return true;
}

async function reason(answer) {
  if (answer.status === 413) return "That is more than can be sent at once; take a random part of the rows.";
  if (answer.status === 403) return "This page is no longer open to you; open its link again in another tab.";
  return "Something broke there. What you typed is still here; try again in a moment.";
}

function show(found, sentFile) {
  for (const place of document.querySelectorAll("[data-wrong]")) {
    say(place.dataset.wrong, found.wrong[place.dataset.wrong] ?? "");
  }
  const told = Object.entries(found.wrong);
  complain(told.length ? `What you see is the answer from before. To correct: ${told[0][1]}` : "");
  for (const [name, html] of Object.entries(found.parts)) swap(name, html);
  if (found.rows !== null) {
    rows.value = found.rows;
    file.value = "";
  }
  const madeUp = document.getElementById("made-up");
  if (madeUp && (sentFile || rows.value !== rows.defaultValue)) madeUp.hidden = true;
  if (!told.length) history.replaceState(null, "", found.link);
}

// What the reader has unfolded, and where the keyboard is, stay as they are.
function swap(name, html) {
  const place = document.getElementById(name);
  const open = [...place.querySelectorAll("details")].map((fold) => fold.open);
  place.innerHTML = html;
  place.querySelectorAll("details").forEach((fold, k) => { fold.open = open[k] ?? false; });
}

function say(name, text) {
  const place = document.querySelector(`[data-wrong="${name}"]`);
  if (!place) return;
  place.textContent = text;
  if (!text) return;
  for (let fold = place.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
}

function complain(text) {
  wrongBox.hidden = !text;
  wrongBox.firstElementChild.textContent = text;
}

// A slider moves the likely amount, and the ends of a guess with it.
for (const slider of form.querySelectorAll(".slider")) {
  const name = slider.dataset.for;
  const [low, likely, high] = [`${name}_low`, name, `${name}_high`].map((n) => form.elements[n]);
  const place = () => {
    const most = Math.max(10, ...[low, likely, high].map((f) => 2 * Math.abs(Number(f.value))));
    const nice = 10 ** Math.floor(Math.log10(most));
    slider.max = Math.ceil(most / nice) * nice;
    slider.min = -slider.max;
    slider.step = nice / 100;
    slider.value = Number(likely.value);
  };
  place();
  slider.hidden = false;
  slider.addEventListener("input", () => {
    const moved = Number(slider.value) - Number(likely.value);
    for (const field of [low, likely, high]) {
      if (field === likely || field.value) field.value = +(Number(field.value) + moved).toFixed(4);
    }
  });
  for (const field of [low, likely, high]) field.addEventListener("change", place);
}

form.addEventListener("input", ask);
form.addEventListener("change", ask);
form.addEventListener("submit", (event) => {
  if (event.submitter?.name === "take") return; // a file to keep comes as a file
  event.preventDefault();
  send();
});
