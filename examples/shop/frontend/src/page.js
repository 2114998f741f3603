// SPDX-License-Identifier: Apache-2.0
export function escaped(text) {
  return String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

export function page({ title, items, release, style }) {
  const rows = items.map((item) => `<tr><td>${escaped(item.name)}</td><td>${escaped(money(item.price))}</td></tr>`);
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title><link rel="stylesheet" href="/${style}">
<h1>${escaped(title)}</h1>
<table>${rows.join('\n')}</table>
<footer>${escaped(release)}</footer></html>
`;
}

export function money(euros) {
  return `${euros} €`;
}
