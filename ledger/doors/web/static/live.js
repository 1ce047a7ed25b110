/* For pages that redraw a part of themselves; see site.js. */
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Parts that redraw themselves while they can be seen: from a page that holds the same part, or from its content alone.
  all("[data-src]").forEach((part) => {
    const offline = document.querySelector(`[data-offline="${part.id}"]`);
    let due = 0;
    const redraw = async () => {
      try {
        const answer = await fetch(part.dataset.src, { cache: "no-store", signal: AbortSignal.timeout(10000) });
        if (answer.redirected || answer.status === 401) return location.reload();
        if (!answer.ok) throw new Error(answer.status);
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        part.replaceChildren(...(page.getElementById(part.id) || page.body).childNodes);
        offline.hidden = true;
      } catch {
        offline.hidden = false;
      }
    };
    const tick = () => {
      if (document.hidden || Date.now() < due) return;
      due = Date.now() + 1000 * part.dataset.every;
      redraw();
    };
    due = Date.now() + 1000 * part.dataset.every;
    setInterval(tick, 1000);
    document.addEventListener("visibilitychange", tick);
    addEventListener("offline", () => (offline.hidden = false));
    addEventListener("online", () => {
      due = 0;
      tick();
    });
  });
})();
