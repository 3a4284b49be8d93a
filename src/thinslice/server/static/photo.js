// The photo page: a picture is made small here, sent once, and searched again while sliders move.
// Without script the same form is sent by its button.
"use strict";

const form = document.getElementById("photo");
const picture = document.getElementById("picture");
const partButton = document.getElementById("part");
const wrongBox = document.getElementById("photo-wrong");
const field = form.elements;
const LONGEST = 1024;
const SMALLEST_PART = 0.06;
const WAIT_MS = 150;

let source = null; // the picture at full size, as far as the browser could read it
let unread = null; // a file that only the service may be able to read
let part = null; // a part of the picture: left, top, width, height as shares
let remembered = { product: field.product.value, seen: field.seen.value };
let timer = 0;
let asking = null;

form.classList.add("lively");
field.look.value = "";

// ── asking ──────────────────────────────────────────────────────────────────────────────────

function askSoon() {
  if (!asked()) return;
  clearTimeout(timer);
  timer = setTimeout(ask, WAIT_MS);
}

function asked() {
  return Boolean(hasPicture() || field.text.value.trim());
}

function hasPicture() {
  return field.seen.value || field.product.value || source || unread;
}

// The latest question counts; an earlier answer that comes late is dropped.
async function ask(only = "") {
  clearTimeout(timer);
  asking?.abort();
  const mine = (asking = new AbortController());
  form.classList.add("waiting");
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      body: await question(only),
      headers: { Accept: "application/json" },
      signal: mine.signal,
    });
    if (answer.ok) show(await answer.json());
    else if (answer.status === 503) setTimeout(ask, 1500, only);
    else complain(reason(answer.status));
  } catch (error) {
    if (error.name !== "AbortError") complain("The service does not answer. Try again in a moment.");
  } finally {
    if (asking === mine) form.classList.remove("waiting");
  }
}

async function question(only) {
  const sent = new FormData(form);
  sent.delete("photo");
  if (only) sent.set("only", only);
  if (field.seen.value || field.product.value || !hasPicture()) return sent;
  const photo = unread ?? (await reduced());
  sent.set("photo", photo, "photo.jpg");
  return sent;
}

function reason(status) {
  if (status === 413) return "This picture is too large to be sent; choose a smaller one.";
  if (status === 408) return "The picture took too long to arrive; try again where the network is better.";
  if (status === 403) return "This page is no longer open to you; open its link again in another tab.";
  return "Something broke there. Try again in a moment.";
}

function show(found) {
  complain(found.wrong);
  if (found.wrong) return;
  field.seen.value = found.seen;
  for (const [name, html] of Object.entries(found.parts)) document.getElementById(name).innerHTML = html;
  form.classList.add("asked");
  form.classList.toggle("by-words", !hasPicture());
  document.getElementById("wish").hidden = false;
  partButton.hidden = !source;
  if (!part) remembered = { product: field.product.value, seen: found.seen };
  history.replaceState(null, "", found.link);
}

function complain(text) {
  wrongBox.textContent = text;
  if (text) wrongBox.scrollIntoView({ block: "nearest" });
}

// ── pictures ────────────────────────────────────────────────────────────────────────────────

async function take(file) {
  if (!file) return;
  complain("");
  part = null;
  source = unread = null;
  field.product.value = field.seen.value = "";
  document.querySelector(".opened-from")?.remove();
  history.replaceState(null, "", form.action);
  try {
    source = await createImageBitmap(file);
    draw();
  } catch {
    if (file.size > Number(form.dataset.mostBytes)) return complain(reason(413));
    unread = file; // the service says what is wrong with it
    picture.hidden = true;
  }
  ask();
}

function draw() {
  const canvas = onCanvas(source, [0, 0, source.width, source.height]);
  canvas.id = "shown";
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "Your picture");
  picture.replaceChildren(canvas);
  keepShape();
  picture.hidden = false;
  stopChoosing();
}

// The box is exactly as large as the picture, so that a part of one is a part of the other.
function keepShape() {
  picture.style.setProperty("--ratio", source.width / source.height);
}

function onCanvas(image, [left, top, width, height]) {
  const scale = Math.min(1, LONGEST / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // what is transparent is white, as in the catalogue
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(image, left, top, width, height, 0, 0, canvas.width, canvas.height);
  return canvas;
}

// The whole picture or the chosen part of it, as a JPEG that a slow network carries.
function reduced() {
  const { left, top, width, height } = part ?? { left: 0, top: 0, width: 1, height: 1 };
  const [w, h] = [source.width, source.height];
  const box = [left * w, top * h, Math.max(1, width * w), Math.max(1, height * h)];
  return new Promise((done) => onCanvas(source, box).toBlob(done, "image/jpeg", 0.9));
}

// A product's own photo can be searched by a part of it, too.
async function readShown() {
  const image = document.getElementById("shown");
  if (!(image instanceof HTMLImageElement) || !field.product.value) return;
  try {
    await image.decode();
    source = await createImageBitmap(image);
    keepShape();
    partButton.hidden = false;
  } catch {
    partButton.hidden = true;
  }
}

for (const input of form.querySelectorAll("input[type=file]")) {
  input.addEventListener("change", () => {
    take(input.files[0]);
    input.value = "";
  });
}

document.addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files ?? [])].find((f) => f.type.startsWith("image/"));
  if (!file) return;
  event.preventDefault();
  take(file);
});

document.addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  form.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) form.classList.remove("dropping");
});
document.addEventListener("drop", (event) => {
  form.classList.remove("dropping");
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  take(event.dataTransfer.files[0]);
});

// ── a part of the picture ───────────────────────────────────────────────────────────────────

const region = document.createElement("div");
region.className = "region";
region.tabIndex = 0;
region.setAttribute("role", "group");
region.setAttribute("aria-label", "The part to search by. Arrow keys move it, Shift and arrow keys change its size, Escape takes the whole picture.");

function choose(box) {
  part = box;
  if (!region.isConnected) picture.append(region);
  for (const [name, share] of Object.entries(box)) region.style[name] = `${100 * share}%`;
  partButton.setAttribute("aria-pressed", "true");
  partButton.textContent = "Use the whole picture";
  picture.classList.add("choosing");
}

function stopChoosing() {
  part = null;
  region.remove();
  partButton.setAttribute("aria-pressed", "false");
  partButton.textContent = "Search by a part of it";
  picture.classList.remove("choosing");
}

function askByPart() {
  field.product.value = field.seen.value = "";
  askSoon();
}

function askByWhole() {
  stopChoosing();
  field.product.value = remembered.product;
  field.seen.value = remembered.seen;
  askSoon();
}

partButton.addEventListener("click", () => {
  if (part) return askByWhole();
  choose({ left: 0.2, top: 0.2, width: 0.6, height: 0.6 });
  region.focus({ preventScroll: true });
  askByPart();
});

// With a mouse a rectangle is drawn at once; a finger scrolls until a part is asked for.
let from = null;
picture.addEventListener("pointerdown", (event) => {
  if (!source || event.button !== 0 || (event.pointerType !== "mouse" && !part)) return;
  event.preventDefault();
  from = at(event);
  picture.setPointerCapture(event.pointerId);
});
picture.addEventListener("pointermove", (event) => {
  if (!from) return;
  const to = at(event);
  const [left, top] = [Math.min(from.x, to.x), Math.min(from.y, to.y)];
  choose({ left, top, width: Math.abs(to.x - from.x), height: Math.abs(to.y - from.y) });
});
picture.addEventListener("pointerup", () => {
  if (!from) return;
  from = null;
  if (!part) return;
  if (part.width < SMALLEST_PART || part.height < SMALLEST_PART) askByWhole();
  else askByPart();
});
picture.addEventListener("pointercancel", () => { from = null; });
picture.addEventListener("dragstart", (event) => event.preventDefault());

function at(event) {
  const box = picture.getBoundingClientRect();
  const within = (share) => Math.min(1, Math.max(0, share));
  return { x: within((event.clientX - box.left) / box.width), y: within((event.clientY - box.top) / box.height) };
}

region.addEventListener("keydown", (event) => {
  const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
  if (event.key === "Escape") {
    askByWhole();
    partButton.focus();
  } else if (x || y) {
    event.preventDefault();
    const box = { ...part };
    const step = 0.04;
    const keep = (value, most) => Math.min(most, Math.max(0, value));
    if (event.shiftKey) {
      box.width = Math.max(SMALLEST_PART, keep(box.width + x * step, 1 - box.left));
      box.height = Math.max(SMALLEST_PART, keep(box.height + y * step, 1 - box.top));
    } else {
      box.left = keep(box.left + x * step, 1 - box.width);
      box.top = keep(box.top + y * step, 1 - box.height);
    }
    choose(box);
    askByPart();
  }
});

// ── what matters ────────────────────────────────────────────────────────────────────────────

document.getElementById("wish").addEventListener("input", askSoon);
field.text.addEventListener("input", askSoon);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const only = event.submitter?.value;
  if (only) field.category.value = only;
  if (asked()) ask();
});

readShown();
