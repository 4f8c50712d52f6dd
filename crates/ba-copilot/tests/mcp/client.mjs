// A client of the TypeScript SDK against our server: `client.mjs GENERATION URL` or `client.mjs GENERATION COMMAND
// ARGUMENT…`. Generation `1` is the package `sdk`, `2` the package `client`, which finds out by itself what the server
// speaks, and `2-legacy` the same package with the handshake of earlier revisions.
// Prints one line of JSON with what it saw; the test judges it.

import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const require = createRequire(path.join(process.env.MCP_MODULES, 'x.js'));
const load = (name) => import(pathToFileURL(require.resolve(`@modelcontextprotocol/${name}`)));

const [generation, target, ...args] = process.argv.slice(2);
const first = generation === '1';
const { Client } = await load(first ? 'sdk/client/index.js' : 'client');
const { StreamableHTTPClientTransport } = await load(first ? 'sdk/client/streamableHttp.js' : 'client');
const { StdioClientTransport } = await load(first ? 'sdk/client/stdio.js' : 'client/stdio');

const transport = target.startsWith('http')
  ? new StreamableHTTPClientTransport(new URL(target))
  : new StdioClientTransport({ command: target, args });
const versionNegotiation = { mode: generation === '2' ? 'auto' : 'legacy' };
const client = new Client({ name: 'test', version: '1' }, { versionNegotiation });
await client.connect(transport);

const call = (name, input) => client.callTool({ name, arguments: input });
const { tools } = await client.listTools();
const valid = await call('validate_mermaid', { code: 'flowchart LR\n  a --> b' });
const invalid = await call('validate_mermaid', { code: 'flowchart LR\n  a[run()] --> b' });
const written = await call('patch_diagram', {
  code: 'flowchart LR\n  a --> b',
  operations: JSON.stringify([{ op: 'add_node', id: 'c' }]),
});
const picture = await call('render_mermaid', { code: 'pie\n  "a": 1' });
const wrong = await call('validate_mermaid', { code: 7 });
const rule = await client.readResource({ uri: 'ba-copilot://rules/FLOW003' });
const prompt = await client.getPrompt({ name: 'explain_findings', arguments: { code: 'pie' } });
const { completion } = await client.complete({
  ref: { type: 'ref/resource', uri: 'ba-copilot://rules/{code}' },
  argument: { name: 'code', value: 'FLOW003' },
});
console.log(JSON.stringify({
  tools: tools.map((tool) => tool.name),
  templates: (await client.listResourceTemplates()).resourceTemplates.map((row) => row.uriTemplate),
  prompts: (await client.listPrompts()).prompts.map((row) => row.name),
  resources: (await client.listResources()).resources.length,
  valid: valid.structuredContent.valid,
  invalid: invalid.structuredContent.valid,
  revision: client.getNegotiatedProtocolVersion?.(),
  patched: written.structuredContent?.valid,
  picture: picture.content.find((block) => block.type === 'resource')?.resource.mimeType,
  wrong_is_error: wrong.isError,
  text: invalid.content[0].text,
  rule: rule.contents[0].text.length,
  prompt: prompt.messages.length,
  completion: completion.values,
}));
await client.close();
