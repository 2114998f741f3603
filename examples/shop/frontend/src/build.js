// SPDX-License-Identifier: Apache-2.0
// The style sheet under a name that changes with its content, so that browsers may keep it.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const source = new URL('style.css', import.meta.url);
const folder = new URL('../dist/', import.meta.url);
const text = readFileSync(source, 'utf8').replace(/\s+/g, ' ').trim();
const name = `style-${createHash('sha256').update(text).digest('hex').slice(0, 10)}.css`;
mkdirSync(folder, { recursive: true });
writeFileSync(new URL(name, folder), text);
writeFileSync(new URL('manifest.json', folder), JSON.stringify({ style: name }));
console.log(`dist/${name}`);
