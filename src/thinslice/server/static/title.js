// A title is answered while it is typed, and a table comes back with its progress shown.
// Without script both forms are sent by their buttons.
"use strict";

const ask = document.getElementById("ask-title");
const title = ask.elements.title;
const answerBox = document.getElementById("answer");
const WAIT_MS = 90;
let timer = 0;
let asking = false;
let again = false;

title.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(send, WAIT_MS);
});
ask.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});

// One question at a time; what was typed meanwhile is asked afterwards.
async function send() {
  clearTimeout(timer);
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  again = false;
  try {
    const answer = await fetch(ask.action, {
      method: "POST",
      body: new URLSearchParams({ title: title.value }),
      headers: { Accept: "application/json" },
    });
    if (answer.ok) {
      answerBox.innerHTML = (await answer.json()).answer;
      complain("title-wrong", "");
    } else if (answer.status === 503) {
      setTimeout(send, 1000 * Number(answer.headers.get("retry-after") || 1) + 500 * Math.random());
    } else complain("title-wrong", reason(answer));
  } catch {
    complain("title-wrong", "The service does not answer. What you typed is still here; try again in a moment.");
  } finally {
    asking = false;
    if (again) send();
  }
}

function reason(answer) {
  if (answer.status === 413) return "That is more than can be sent at once; send it in parts.";
  if (answer.status === 403) return "This page is no longer open to you; open its link again in another tab.";
  return "Something broke there. What you typed is still here; try again in a moment.";
}

function complain(id, text) {
  const box = document.getElementById(id);
  box.hidden = !text;
  box.firstElementChild.textContent = text;
}

// A whole table.
const table = document.getElementById("table");
const file = table.elements.file;
const drop = document.getElementById("drop");
const found = document.getElementById("table-found");
let address = "";

for (const name of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name !== "drop" || !event.dataTransfer.files.length) return;
    file.files = event.dataTransfer.files;
    chosen();
  });
}
file.addEventListener("change", chosen);
table.addEventListener("submit", (event) => {
  event.preventDefault();
  sendTable();
});

function chosen() {
  const [first] = file.files;
  document.getElementById("drop-text").textContent = first ? first.name : "Choose a file or drop it here";
  if (first) sendTable();
}

async function sendTable() {
  const size = (file.files[0]?.size ?? 0) + new Blob([table.elements.rows.value]).size;
  const most = Number(table.dataset.mostBytes) - 20000;
  found.replaceChildren();
  if (size > most) {
    complain("table-wrong", `At most ${megabytes(most)} MB can be sent, and this is ${megabytes(size)} MB. Send it in parts, or run thinslice classify TABLE.csv -o OUT.csv.`);
    return;
  }
  complain("table-wrong", "");
  const said = document.createElement("p");
  const bar = document.createElement("progress");
  bar.setAttribute("aria-label", "Titles that are done");
  said.textContent = "Reading the table…";
  found.append(said, bar);
  const button = table.querySelector("button");
  button.disabled = true;
  try {
    const answer = await fetch(table.action, {
      method: "POST",
      body: new FormData(table),
      headers: { Accept: "application/x-ndjson" },
    });
    if (answer.ok) await follow(answer.body.getReader(), said, bar);
    else if (answer.status === 503) fail("Too many people are here at this moment; try again in a few seconds.");
    else fail(reason(answer));
  } catch {
    fail("The table did not come back. Try again in a moment.");
  } finally {
    button.disabled = false;
  }
}

// A line of JSON for every part that is done; the last one has the file.
async function follow(reader, said, bar) {
  const letters = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    rest += value ? letters.decode(value, { stream: true }) : "";
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const news = JSON.parse(line);
      if (news.wrong) fail(news.wrong);
      else if (news.csv !== undefined) finish(news);
      else {
        said.textContent = `${news.done.toLocaleString()} of ${news.rows.toLocaleString()} titles`;
        bar.max = news.rows;
        bar.value = news.done;
      }
    }
    if (done) return;
  }
}

function finish(news) {
  if (address) URL.revokeObjectURL(address);
  address = URL.createObjectURL(new Blob([news.csv], { type: "text/csv" }));
  const said = document.createElement("p");
  const link = document.createElement("a");
  said.textContent = news.said;
  link.href = address;
  link.download = news.name;
  link.className = "button primary";
  link.textContent = "Save the table";
  found.replaceChildren(said, link);
  if (!news.first.length) return;
  const list = document.createElement("ul");
  list.className = "for-a-person";
  for (const row of news.first) {
    const line = document.createElement("li");
    const name = document.createElement("strong");
    const why = document.createElement("span");
    name.dir = "auto";
    name.textContent = row.title || "(empty)";
    why.textContent = ` ${row.category}: ${row.why}`;
    line.append(name, why);
    list.append(line);
  }
  found.append(list);
}

function fail(text) {
  found.replaceChildren();
  complain("table-wrong", text);
}

const megabytes = (bytes) => (bytes / 1e6).toLocaleString(undefined, { maximumFractionDigits: 1 });
