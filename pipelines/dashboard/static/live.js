// Says so when the page's server does not answer: figures that nobody renews must not look new.
"use strict";
const offline = document.getElementById("offline");
for (const event of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
  document.addEventListener(event, () => { offline.hidden = false; });
}
document.addEventListener("htmx:beforeSwap", () => { offline.hidden = true; });
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) { offline.hidden = true; }
});
