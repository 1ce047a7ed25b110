/* Nothing here is needed: every page works without it. It only makes some of them quicker or kinder. */
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // The summary of errors takes the focus; its links go into the field, not only to it.
  all("[data-errors]").slice(0, 1).forEach((summary) => {
    summary.focus();
    all("a[href^='#']", summary).forEach((link) =>
      link.addEventListener("click", (event) => {
        const field = document.getElementById(link.hash.slice(1));
        if (!field) return;
        event.preventDefault();
        field.scrollIntoView({ block: "center" });
        field.focus({ preventScroll: true });
      }));
  });

  // Leaving quickly: the page is emptied at once, and the new one takes its place in the history.
  const exit = document.querySelector("[data-exit]");
  if (exit) {
    const leave = () => {
      document.title = "";
      document.body.replaceChildren();
      location.replace(exit.href);
    };
    exit.addEventListener("click", (event) => {
      event.preventDefault();
      leave();
    });
    let pressed = [];
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      pressed = [...pressed.filter((at) => event.timeStamp - at < 2000), event.timeStamp];
      if (pressed.length >= 3) leave();
    });
  }

  // A form is sent once: a second click does nothing until the answer is here, or ten seconds have passed.
  const release = (form) => {
    delete form.dataset.sent;
    all("button", form).forEach((button) => button.removeAttribute("aria-disabled"));
  };
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-once]")) return;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    all("button", form).forEach((button) => button.setAttribute("aria-disabled", "true"));
    setTimeout(release, 10000, form);
  });
  addEventListener("pageshow", () => all("form[data-sent]").forEach(release));

  // Numbers of a few are counted up and down.
  all("[data-step]").forEach((button) => {
    const input = button.parentElement.querySelector("input");
    button.hidden = false;
    button.addEventListener("click", () => (input.value = Math.max(0, (+input.value || 0) + +button.dataset.step)));
  });
})();
