// Small comforts. Every page works without them.
"use strict";

const typing = (target) => target.closest("input, textarea, select") !== null;

// Arrow keys step through a replay; "/" goes to the search box.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const rel = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
  const link = rel && document.querySelector(`a[rel~="${rel}"]`);
  if (link) {
    event.preventDefault();
    link.click();
  } else if (event.key === "/") {
    const search = document.getElementById("q");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  }
});

// A choice in the filters takes effect at once.
for (const select of document.querySelectorAll("form.filters select, form.filters [type=checkbox]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

// A form without filled-in fields leaves them out of the address.
for (const form of document.querySelectorAll("form[method=get]")) {
  form.addEventListener("submit", () => {
    for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
  });
}

// A link that was made can be copied.
const copy = document.getElementById("copy-link");
if (copy && navigator.clipboard) {
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById("link").value);
    copy.textContent = "Copied";
  });
}

// On a phone the steps scroll sideways: the current one is brought into sight.
const current = document.querySelector(".steps-nav [aria-current]");
const steps = current && current.closest(".steps-nav");
if (steps) steps.scrollLeft = current.offsetLeft - (steps.clientWidth - current.offsetWidth) / 2;
