/* For the register; see site.js. */
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // A register: everybody came, without asking for the page again.
  all("a[data-all]").forEach((link) =>
    link.addEventListener("click", (event) => {
      event.preventDefault();
      all(`${link.dataset.all} fieldset:not([hidden]) input[value="came"]`).forEach((radio) => (radio.checked = true));
    }));

  // Rows for others: one more as soon as something stands in the last.
  all("[data-grow]").forEach((rows) =>
    rows.addEventListener("input", (event) => {
      const last = rows.lastElementChild;
      if (!last.contains(event.target) || !event.target.matches("[list]") || !event.target.value) return;
      const name = all("input", last)[0].name;
      const key = name.slice(name.indexOf("_") + 1);
      const row = last.cloneNode(true);
      const renamed = (text) => text.replace(/_\d+/, `_${Number(key) + 1}`);
      all("[name], [id], [for]", row).forEach((part) =>
        ["name", "id", "for"].forEach((of) => part.hasAttribute(of) && part.setAttribute(of, renamed(part.getAttribute(of)))));
      all("input[list]", row).forEach((field) => (field.value = ""));
      all("input[type=checkbox]", row).forEach((box) => (box.checked = false));
      all("select, .error, label[for^=who]", row).forEach((part) => part.remove());
      row.classList.remove("wrong");
      rows.append(row);
    }));

  // Whoever goes back to a register finds it as they left it, with its key: this tab's history keeps it.
  all("form:has([data-grow])").forEach((form) => {
    const kept = "[name]:not([type=hidden]), [name=key]";
    form.addEventListener("submit", () =>
      history.replaceState({ typed: all(kept, form).map(({ name, value, checked }) => [name, value, checked]) }, ""));
    const typed = (history.state && history.state.typed) || [];
    typed.forEach(([name, value, checked]) =>
      all(`[name="${name}"]`, form).forEach((field) => {
        if (field.type === "radio") field.checked = field.value === value ? checked : field.checked;
        else if (field.type === "checkbox") field.checked = checked;
        else field.value = value;
        if (field.matches("[list]")) field.dispatchEvent(new Event("input", { bubbles: true }));
      }));
  });

  // Filter as you type: accents and case don't matter; Enter goes into the first that is left.
  all("[data-filter]").forEach((box) => {
    const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
    const rows = [...document.querySelector(box.dataset.filter).children].map((row) => [row, plain(row.textContent)]);
    const input = box.querySelector("input");
    const none = box.querySelector("[data-none]");
    box.hidden = false;
    const filter = () => {
      const wanted = plain(input.value.trim());
      rows.forEach(([row, text]) => (row.hidden = !text.includes(wanted)));
      none.textContent = rows.every(([row]) => row.hidden) ? none.dataset.none : "";
    };
    input.addEventListener("input", filter);
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      const [row] = rows.find(([row]) => !row.hidden) || [];
      if (row) all("a, button, select, input", row).some((field) => (field.focus(), document.activeElement === field));
    });
  });
})();
