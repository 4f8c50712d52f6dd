// The bill of materials (CycloneDX 1.6): crates from `cargo tree` on standard input, npm packages from the lock file beside this.
//
// `cargo xtask dist` runs it. It has no time and no random number in it, so that the same sources give the same bytes.
import { readFileSync } from "node:fs";

const version = process.argv[2];
const tree = readFileSync(0, "utf8");
const root = new URL("../", import.meta.url);
const checksums = new Map();
for (const block of readFileSync(new URL("Cargo.lock", root), "utf8").split("[[package]]").slice(1)) {
  const field = (name) => block.match(new RegExp(`^${name} = "(.*)"$`, "m"))?.[1];
  checksums.set(`${field("name")}@${field("version")}`, field("checksum"));
}

const components = new Map();
for (const line of new Set(tree.split("\n"))) {
  const [what, licence] = line.split("\t");
  const [, name, number] = what.match(/^(\S+) v(\S+)/) ?? [];
  if (!name || name === "ba-copilot") continue;
  const own = !checksums.get(`${name}@${number}`);
  const component = { type: "library", "bom-ref": `pkg:cargo/${name}@${number}`, name, version: number, purl: `pkg:cargo/${name}@${number}` };
  if (licence) component.licenses = [{ expression: licence.replaceAll("/", " OR ") }];
  if (!own) component.hashes = [{ alg: "SHA-256", content: checksums.get(`${name}@${number}`) }];
  components.set(component["bom-ref"], component);
}
// Nothing is linked from it, but the pages of Swagger UI that it carries are embedded when the program is built.
const pages = "utoipa-swagger-ui-vendored";
const vendored = [...checksums].find(([name]) => name.startsWith(`${pages}@`));
if (!vendored) throw new Error(`${pages} is not in Cargo.lock: what is it that embeds Swagger UI now?`);
const vendoredPurl = `pkg:cargo/${vendored[0]}`;
components.set(vendoredPurl, {
  type: "library",
  "bom-ref": vendoredPurl,
  name: pages,
  version: vendored[0].slice(pages.length + 1),
  purl: vendoredPurl,
  licenses: [{ expression: "(MIT OR Apache-2.0) AND Apache-2.0" }],
  hashes: [{ alg: "SHA-256", content: vendored[1] }],
});
const lock = JSON.parse(readFileSync(new URL("web/package-lock.json", root), "utf8"));
for (const [path, found] of Object.entries(lock.packages)) {
  // What is optional are builds of esbuild for other machines; esbuild itself bundles, and is in no bundle.
  if (!path || found.optional || path === "node_modules/esbuild") continue;
  const name = path.replace(/^.*node_modules\//, "");
  const purl = `pkg:npm/${name.replace("@", "%40")}@${found.version}`;
  const component = { type: "library", "bom-ref": purl, name, version: found.version, purl };
  if (found.license) component.licenses = [{ expression: found.license }];
  if (found.integrity?.startsWith("sha512-")) {
    component.hashes = [{ alg: "SHA-512", content: Buffer.from(found.integrity.slice(7), "base64").toString("hex") }];
  }
  components.set(purl, component);
}
const sorted = [...components.values()].sort((a, b) => (a.purl < b.purl ? -1 : 1));
const product = { type: "application", "bom-ref": `pkg:cargo/ba-copilot@${version}`, name: "ba-copilot", version, licenses: [{ expression: "MIT OR Apache-2.0" }] };
const bill = { bomFormat: "CycloneDX", specVersion: "1.6", version: 1, metadata: { component: product }, components: sorted };
process.stdout.write(`${JSON.stringify(bill, null, 2)}\n`);
