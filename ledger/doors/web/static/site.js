/* Nothing here is needed: every page works without it. It only makes some of them quicker or kinder. */
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector) => all(selector)[0];
  const on = (part, event, then) => part.addEventListener(event, then);

  // Whoever goes on at a kiosk with a code that they began to type does so at its end.
  one(".kiosk input.code")?.setSelectionRange(99, 99);

  // The summary of errors takes the focus, also where a browser doesn't heed its autofocus.
  one("[data-errors]")?.focus();

  // Leaving quickly, by the link or by Escape three times: the page is emptied at once, and its place in the history taken.
  all("[data-exit]").forEach((exit) => {
    let pressed = [];
    const leave = (event) => {
      event.preventDefault();
      document.title = "";
      document.body.replaceChildren();
      location.replace(exit.href);
    };
    on(exit, "click", leave);
    on(document, "keydown", (event) => {
      if (event.key !== "Escape") return;
      pressed = [...pressed.filter((at) => event.timeStamp - at < 2000), event.timeStamp];
      if (pressed.length > 2) leave(event);
    });
  });

  // A form is sent once: a second click does nothing until the answer is here, or ten seconds have passed.
  const release = (form) => delete form.dataset.sent;
  on(document, "submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-once]")) return;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(release, 10000, form);
    // Back fetches the page anew, with another key: what is sent there word for word once more has the key that it had.
    const { key } = form.elements;
    if (!key) return;
    // A kiosk's key is its turn's: it remembers nobody, and Back leads to the start.
    if (document.body.matches(".kiosk")) return history.replaceState(null, "");
    const data = new FormData(form, event.submitter);
    data.delete("key");
    let said = 0;
    for (const each of form.action + new URLSearchParams(data)) said = (31 * said + each.charCodeAt()) | 0;
    const was = history.state;
    if (was?.said === said) key.value = was.key;
    history.replaceState({ ...was, said, key: key.value }, "");
  });
  on(window, "pageshow", () => all("[data-sent]").forEach(release));

  // Numbers of a few are counted up and down.
  all("[data-step]").forEach((button) => {
    const input = button.parentElement.querySelector("input");
    button.hidden = false;
    on(button, "click", () => (input.value = Math.max(0, +input.value + +button.dataset.step)));
  });

  // The camera of a till opened the link of a pass: its code goes into the field, and out of the address.
  const take = () => {
    const code = one("#code");
    if (!code || !/^#\w{4}-/.test(location.hash)) return;
    code.value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname + location.search);
    code.focus();
  };
  take();
  on(window, "hashchange", take);

  // Parts that redraw themselves while they can be seen, from a page that holds the same part.
  all("[data-src]").forEach((part) => {
    const { src, every } = part.dataset;
    const offline = one(`[data-offline="${part.id}"]`);
    const later = () => Date.now() + 1000 * every;
    let due = later();
    setInterval(async () => {
      if (document.hidden || Date.now() < due) return;
      due = later();
      try {
        const answer = await fetch(src);
        if (answer.redirected) return location.reload();
        if (!answer.ok) throw answer.status;
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        part.replaceChildren(...page.getElementById(part.id).childNodes);
        offline.hidden = true;
      } catch {
        offline.hidden = false;
      }
    }, 1000);
  });

  // A passkey: what the authenticator answers goes into the form, which is sent then as any other.
  const keys = window.PublicKeyCredential;
  if (keys?.parseCreationOptionsFromJSON) all("[data-passkey]").forEach((form) => {
    form.hidden = false;
    form.nextElementSibling.hidden = true;
    on(form, "submit", async (event) => {
      const { name, response } = form.elements;
      if (response.value || form.dataset.sent || name?.value === "") return;
      event.preventDefault();
      const { passkey, read, options, failed } = form.dataset;
      form.dataset.sent = "yes";
      try {
        const made = await navigator.credentials[passkey]({ publicKey: keys[read](JSON.parse(options)) });
        response.value = JSON.stringify(made);
      } catch {
        form.querySelector("[role=status]").textContent = failed;
      }
      release(form);
      if (response.value) form.requestSubmit();
    });
  });

  // A register: everybody came, without asking for the page again.
  all("[data-all]").forEach((button) => on(button, "click", (event) => {
    event.preventDefault();
    all(`${button.dataset.all} fieldset:not([hidden]) [value=came]`).forEach((radio) => (radio.checked = true));
  }));

  // Its rows for others: one more as soon as something stands in the last.
  all("[data-grow]").forEach((rows) => {
    on(rows, "input", (event) => {
      const last = rows.lastElementChild;
      if (!last.contains(event.target) || !event.target.matches("[list]") || !event.target.value) return;
      const row = last.cloneNode(true);
      all("*", row).forEach((part) => {
        ["name", "id", "for"].forEach((of) => part.hasAttribute(of)
          && part.setAttribute(of, part.getAttribute(of).replace(/\d+$/, (number) => +number + 1)));
        if (part.matches("[list]")) part.value = "";
        if (part.type === "checkbox") part.checked = false;
      });
      rows.append(row);
    });

    // Whoever goes back to it finds it as they left it, with its key: this tab's history keeps it.
    const { form } = rows.querySelector("input");
    on(form, "submit", () => {
      const fields = all("[name]:not([type=hidden]), [name=key]", form);
      history.replaceState({ typed: fields.map(({ name, value, checked }) => [name, value, checked]) }, "");
    });
    (history.state?.typed || []).forEach(([name, value, checked]) =>
      all(`[name="${name}"]`, form).forEach((field) => {
        if (field.type !== "radio") field.value = value;
        if (field.value === value) field.checked = checked;
        if (field.matches("[list]")) field.dispatchEvent(new Event("input", { bubbles: true }));
      }));
  });

  // A filter as one types: accents and case don't matter; Enter goes into the first that is left.
  all("[data-filter]").forEach((box) => {
    const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
    const rows = [...one(box.dataset.filter).children];
    const left = () => rows.filter((row) => !row.hidden);
    const input = box.querySelector("input");
    const none = box.querySelector("[data-none]");
    box.hidden = false;
    on(input, "input", () => {
      const wanted = plain(input.value.trim());
      rows.forEach((row) => (row.hidden = !plain(row.textContent).includes(wanted)));
      none.textContent = left().length ? "" : none.dataset.none;
    });
    on(input, "keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      left()[0]?.querySelector("a, button, select, input:not([type=hidden])")?.focus();
    });
  });
})();
