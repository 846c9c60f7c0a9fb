"use strict";
// A heading sorts its table by the data-value of its column: text upwards first, numbers downwards.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const body = table.tBodies[0];
      const value = (row) => row.cells[column].dataset.value;
      const isText = heading.classList.contains("text");
      const first = isText || column === 0 ? "ascending" : "descending";
      const second = first === "ascending" ? "descending" : "ascending";
      const order = heading.getAttribute("aria-sort") === first ? second : first;
      const sign = order === "ascending" ? 1 : -1;
      const compare = isText
        ? (a, b) => value(a).localeCompare(value(b), "en", { numeric: true })
        : (a, b) => Number(value(a)) - Number(value(b));
      body.append(...[...body.rows].sort((a, b) => sign * compare(a, b)));
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", order);
    });
  });
}
