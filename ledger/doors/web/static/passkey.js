/* For pages with a passkey; see site.js. */
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // A passkey: what the authenticator answers goes into the form, which is sent then as any other.
  const keys = window.PublicKeyCredential;
  if (keys?.parseCreationOptionsFromJSON) all("form[data-passkey]").forEach((form) => {
    form.hidden = false;
    form.nextElementSibling.hidden = true;
    form.addEventListener("submit", async (event) => {
      const { name, response } = form.elements;
      if (response.value || form.dataset.sent || name?.value === "") return;
      event.preventDefault();
      event.stopPropagation();
      const { passkey, options, failed } = form.dataset;
      const read = passkey === "get" ? "parseRequestOptionsFromJSON" : "parseCreationOptionsFromJSON";
      form.dataset.sent = "yes";
      try {
        const made = await navigator.credentials[passkey]({ publicKey: keys[read](JSON.parse(options)) });
        response.value = JSON.stringify(made);
      } catch {
        form.querySelector("[role=status]").textContent = failed;
      }
      delete form.dataset.sent;
      if (response.value) form.requestSubmit();
    });
  });
})();
