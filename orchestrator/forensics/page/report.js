"use strict";
(() => {
  const facts = STORY.facts, slider = document.getElementById("slider");
  const steps = new Map([...document.querySelectorAll("[data-step]")].map(li => [li.dataset.step, li.querySelector("b")]));
  const cursor = document.getElementById("cursor");
  const show = index => {
    const [seq, x, time, text] = facts[index];
    const statuses = new Map();
    for (const [at, step, status] of STORY.changes) {
      if (at > seq) break;
      statuses.set(step, status);
    }
    for (const [step, label] of steps) {
      const status = statuses.get(step) ?? "pending";
      label.textContent = status;
      label.className = `status ${STORY.tones[status] ?? "quiet"}`;
    }
    document.getElementById("seq").textContent = `${seq} of ${facts[facts.length - 1][0]}`;
    document.getElementById("sentence").textContent = `${time} · ${text}`;
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
  };
  slider.max = facts.length - 1;
  slider.value = slider.max;
  slider.closest(".slider").hidden = false;
  slider.addEventListener("input", () => show(Number(slider.value)));
  show(facts.length - 1);
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const details of opened) details.open = true;
    show(facts.length - 1);
  });
  addEventListener("afterprint", () => { for (const details of opened) details.open = false; });
})();
