// @ts-check
/**
 * The program of the overview, which runs in the reader's browser: tables of class `sortable` are sorted by a column when its
 * title is clicked, or pressed with Enter or the space bar. Cells sort by `data-sort`, else by their text; empty ones come
 * last. It makes the buttons itself: without it no button promises anything.
 */

const collator = new Intl.Collator('en', { numeric: true });
const NOTHING = ['', '–'];

for (const table of document.querySelectorAll('table.sortable')) {
  if (table instanceof HTMLTableElement) makeSortable(table);
}

/** @param {HTMLTableElement} table */
function makeSortable(table) {
  const titles = [...(table.tHead?.rows[0]?.cells ?? [])];
  const body = table.tBodies[0];
  // equal rows keep the order of the page, whatever was sorted before
  const rows = [...(body?.rows ?? [])];
  for (const [column, title] of titles.entries()) {
    if (title.dataset.unsorted !== undefined) continue;
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...title.childNodes);
    button.addEventListener('click', () => {
      const order = nextOrder(title);
      for (const each of titles) each.removeAttribute('aria-sort');
      title.setAttribute('aria-sort', order);
      body?.append(...sorted(rows, column, order === 'descending' ? -1 : 1));
    });
    title.append(button);
  }
}

/**
 * Numbers from the largest, words from a to z; pressed again, the other way round.
 * @param {HTMLTableCellElement} title
 */
function nextOrder(title) {
  const [first, second] = title.classList.contains('n')
    ? ['descending', 'ascending']
    : ['ascending', 'descending'];
  return (title.getAttribute('aria-sort') === first ? second : first) ?? '';
}

/**
 * @param {HTMLTableRowElement[]} rows
 * @param {number} column
 * @param {number} turn
 */
function sorted(rows, column, turn) {
  return rows
    .map((row) => ({ row, value: contentOf(row.cells[column]) }))
    .sort((a, b) => compare(a.value, b.value, turn))
    .map(({ row }) => row);
}

/** @param {HTMLTableCellElement | undefined} cell */
function contentOf(cell) {
  const text = (cell?.dataset.sort ?? cell?.textContent ?? '').trim();
  return NOTHING.includes(text) ? null : text;
}

/**
 * @param {string | null} a
 * @param {string | null} b
 * @param {number} turn
 */
function compare(a, b, turn) {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  const [x, y] = [Number(a), Number(b)];
  return turn * (Number.isNaN(x) || Number.isNaN(y) ? collator.compare(a, b) : x - y);
}
