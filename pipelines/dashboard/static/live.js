// Says so when the page's server does not answer: figures that nobody renews must not look new.
"use strict";
const offline = document.getElementById("offline");
for (const event of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(event, () => { offline.hidden = false; });
}
document.addEventListener("htmx:afterOnLoad", (event) => { offline.hidden = event.detail.xhr.status < 500; });
